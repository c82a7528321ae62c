/* The XML forms of identities: what is read says who it is, and comes back when it is written again. */
#include <stdlib.h>
#include <string.h>

#include "overlay/identity/export.h"
#include "overlay/identity/rotation.h"
#include "overlay/identity/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void read_info(const char *text, size_t size)
{
    struct bypeer_identity_info info, again;
    char why[160] = "", *written;
    if (bypeer_identity_info_read(&info, text, size, why) != 0) {
        require(why[0] != '\0');
        return;
    }
    require(info.name.secure);
    if (bypeer_name_is_equal(&info.name, &bypeer_certificate_facts(info.idc)->subject)) {
        require(bypeer_identity_info_write(&written, info.idc, NULL, 0) == 0);
        require(bypeer_identity_info_read(&again, written, strlen(written), why) == 0);
        require(bypeer_name_is_equal(&again.name, &info.name));
        bypeer_identity_info_release(&again);
        free(written);
    }
    bypeer_identity_info_release(&info);
}

/* With the seeds' password. */
static void read_export(const char *text, size_t size)
{
    struct bypeer_identity_export identity;
    char why[160] = "";
    if (bypeer_identity_export_read(&identity, text, size, "correct horse", why) != 0) {
        require(why[0] != '\0');
        return;
    }
    require(memcmp(bypeer_certificate_facts(identity.idc)->public_key, bypeer_key_public(identity.key),
                   bypeer_key_profile(identity.key)->public_key_bytes) == 0);
    bypeer_identity_export_release(&identity);
}

static void read_xml(const char *text, size_t size)
{
    struct bypeer_xml xml, again;
    struct bypeer_xml_writer writer;
    char why[160], *written;
    if (bypeer_xml_read(&xml, text, size, 65536, why) != 0)
        return;
    bypeer_xml_begin(&writer, xml.root, "1.0");
    for (size_t at = 0; at < xml.count; at++)
        bypeer_xml_put_text(&writer, xml.children[at].name, xml.children[at].text);
    require(bypeer_xml_end(&writer, &written) == 0);
    if (bypeer_xml_read(&again, written, strlen(written), 1 << 20, why) != 0)
        abort();
    require(again.count == xml.count);
    for (size_t at = 0; at < xml.count; at++)
        require(strcmp(again.children[at].text, xml.children[at].text) == 0);
    bypeer_xml_release(&again);
    bypeer_xml_release(&xml);
    free(written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_xml((const char *)data, size);
    read_info((const char *)data, size);
    read_export((const char *)data, size);
    return 0;
}

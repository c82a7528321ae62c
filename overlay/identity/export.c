#include "overlay/identity/export.h"

#include <errno.h>
#include <openssl/objects.h>
#include <openssl/pkcs12.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/certificate/chain.h"
#include "overlay/identity/rotation.h"
#include "overlay/identity/xml.h"
#include "overlay/profile/openssl.h"

#define WHY_BYTES      160
#define PASSWORD_MIN   8
#define ITERATIONS     600000  /* of modern: what OWASP asks of PBKDF2 over SHA-256 */
#define ITERATIONS_OLD 2048    /* of windows: what its readers expect */
#define ITERATIONS_MAX 2000000 /* a file that asks for more would hold its reader up */

static int export_refuse(int status, char why[static WHY_BYTES], const char *text)
{
    snprintf(why, WHY_BYTES, "%s", text);
    return status;
}

/* NULL: memory is short. The MAC is as hard to try passwords against as the key. */
static PKCS12 *export_seal(const struct bypeer_identity_export *identity, const char *password)
{
    bool is_windows = bypeer_key_profile(identity->key)->id == BYPEER_PROFILE_WINDOWS;
    int iterations = is_windows ? ITERATIONS_OLD : ITERATIONS;
    int algorithm = is_windows ? NID_pbe_WithSHA1And3_Key_TripleDES_CBC : NID_aes_256_cbc;
    PKCS12 *pfx = PKCS12_create(password, NULL, bypeer_key_pair(identity->key), bypeer_certificate_x509(identity->idc),
                                NULL, algorithm, -1, iterations, -1, 0);
    if (pfx && PKCS12_set_mac(pfx, password, -1, NULL, 0, iterations, is_windows ? EVP_sha1() : EVP_sha256()) != 1) {
        PKCS12_free(pfx);
        return NULL;
    }
    return pfx;
}

int bypeer_identity_export_write(char **ret_text, const struct bypeer_identity_export *identity, const char *password,
                                 char why[static WHY_BYTES])
{
    char name[BYPEER_NAME_TEXT_MAX];
    unsigned char *bytes = NULL;
    struct bypeer_xml_writer writer;
    if (strlen(password) < PASSWORD_MIN || strlen(password) > BYPEER_EXPORT_PASSWORD_MAX)
        return export_refuse(-EINVAL, why, "a password has 8 to 255 bytes");
    PKCS12 *pfx = export_seal(identity, password);
    int length = pfx ? i2d_PKCS12(pfx, &bytes) : 0;
    PKCS12_free(pfx);
    if (length <= 0)
        return -ENOMEM;
    bypeer_name_write(&identity->name, name);
    bypeer_xml_begin(&writer, "PEERIDENTITYEXPORT", "1.0");
    bypeer_xml_put_text(&writer, "PEERNAME", name);
    bypeer_xml_put_bytes(&writer, "DATA", bytes, (size_t)length);
    if (identity->rotations)
        bypeer_xml_put_bytes(&writer, "ROTATIONS", identity->rotations, identity->rotations_bytes);
    if (identity->delegation)
        bypeer_xml_put_bytes(&writer, "DELEGATION", identity->delegation, identity->delegation_bytes);
    OPENSSL_free(bytes);
    return bypeer_xml_end(&writer, ret_text);
}

/* Opens the PFX into pair and x509. */
static int export_unseal(const uint8_t *bytes, size_t length, const char *password, EVP_PKEY **ret_pair,
                         X509 **ret_x509, char why[static WHY_BYTES])
{
    const unsigned char *end = bytes;
    const ASN1_INTEGER *iterations = NULL;
    PKCS12 *pfx = d2i_PKCS12(NULL, &end, (long)length);
    int status = 0;
    if (!pfx || end != bytes + length || PKCS12_mac_present(pfx) != 1)
        status = export_refuse(-EBADMSG, why, "its DATA is no PFX under a password");
    if (status == 0) {
        PKCS12_get0_mac(NULL, NULL, NULL, &iterations, pfx);
        if (iterations && (ASN1_INTEGER_get(iterations) < 1 || ASN1_INTEGER_get(iterations) > ITERATIONS_MAX))
            status = export_refuse(-EBADMSG, why, "its password is hashed more often than 2000000 times");
    }
    if (status == 0 && PKCS12_verify_mac(pfx, password, -1) != 1)
        status = export_refuse(-EACCES, why, "the password is another one, or the text was changed");
    if (status == 0 && (PKCS12_parse(pfx, password, ret_pair, ret_x509, NULL) != 1 || !*ret_pair || !*ret_x509)) {
        EVP_PKEY_free(*ret_pair);
        X509_free(*ret_x509);
        status = export_refuse(-EBADMSG, why, "its PFX does not hold one key and its certificate");
    }
    PKCS12_free(pfx);
    return status;
}

/* The key, and a certificate that is sound and of that key, of whichever profile. */
static int export_take_pair(struct bypeer_identity_export *identity, EVP_PKEY *pair, X509 *x509,
                            char why[static WHY_BYTES])
{
    unsigned char *der = NULL;
    const char *problem = "is none of its key's profile";
    int status = -EINVAL, length = i2d_X509(x509, &der);
    if (length <= 0)
        return -ENOMEM;
    for (unsigned id = 0; id < BYPEER_PROFILES && status == -EINVAL; id++)
        status = bypeer_key_from_pair(&identity->key, bypeer_profile((enum bypeer_profile_id)id), pair);
    if (status == -EINVAL)
        status = export_refuse(-EBADMSG, why, "its key is of no profile: Ed25519, or RSA of 1024 bits");
    const struct bypeer_profile *profile = status == 0 ? bypeer_key_profile(identity->key) : NULL;
    if (profile)
        status = bypeer_certificate_read(&identity->idc, profile, der, (size_t)length, &problem);
    OPENSSL_free(der);
    if (profile && status == 0) {
        enum bypeer_chain_fault fault = bypeer_certificate_judge_identity(identity->idc, 0);
        const uint8_t *certified = bypeer_certificate_facts(identity->idc)->public_key;
        if (fault == BYPEER_CHAIN_SOUND &&
            memcmp(certified, bypeer_key_public(identity->key), profile->public_key_bytes) != 0)
            fault = BYPEER_CHAIN_WRONG_KEY;
        problem = bypeer_chain_fault_text(fault);
        status = fault == BYPEER_CHAIN_SOUND ? 0 : -EBADMSG;
    }
    if (profile && status == -EBADMSG)
        snprintf(why, WHY_BYTES, "its certificate %s", problem);
    return status;
}

static int export_take_name(struct bypeer_identity_export *identity, const char *name_text, char why[static WHY_BYTES])
{
    struct bypeer_peer_name claimed, proven;
    int status =
        bypeer_identity_first_name(&proven, identity->idc, identity->rotations, identity->rotations_bytes, why);
    if (status != 0)
        return status;
    if (bypeer_name_read(&claimed, name_text, why) != 0 || !bypeer_name_is_equal(&claimed, &proven))
        return export_refuse(-EBADMSG, why, "its peer name is not that of its key");
    identity->name = proven;
    return 0;
}

static int export_read_xml(struct bypeer_identity_export *identity, const struct bypeer_xml *xml, const char *password,
                           char why[static WHY_BYTES])
{
    /* Two pages of the documentation differ about the names. */
    const struct bypeer_xml_child *name = bypeer_xml_find(xml, "PEERNAME"), *data = bypeer_xml_find(xml, "DATA");
    const struct bypeer_xml_child *rotations = bypeer_xml_find(xml, "ROTATIONS");
    const struct bypeer_xml_child *delegation = bypeer_xml_find(xml, "DELEGATION");
    EVP_PKEY *pair = NULL;
    X509 *x509 = NULL;
    uint8_t *bytes;
    size_t length;
    if (!name)
        name = bypeer_xml_find(xml, "IDENTITY");
    if (!data)
        data = bypeer_xml_find(xml, "IDENTITYDATA");
    if (strcmp(xml->root, "PEERIDENTITYEXPORT") != 0 || strcmp(xml->version, "1.0") != 0 || !name || !data)
        return export_refuse(-EBADMSG, why, "it is no PEERIDENTITYEXPORT of version 1.0 with PEERNAME and DATA");
    if (rotations && bypeer_xml_bytes(rotations, &identity->rotations, &identity->rotations_bytes) != 0)
        return export_refuse(-EBADMSG, why, "its ROTATIONS are no base64");
    if (delegation && bypeer_xml_bytes(delegation, &identity->delegation, &identity->delegation_bytes) != 0)
        return export_refuse(-EBADMSG, why, "its DELEGATION is no base64");
    if (bypeer_xml_bytes(data, &bytes, &length) != 0)
        return export_refuse(-EBADMSG, why, "its DATA is no base64");
    int status = export_unseal(bytes, length, password, &pair, &x509, why);
    free(bytes);
    if (status != 0)
        return status;
    status = export_take_pair(identity, pair, x509, why);
    EVP_PKEY_free(pair);
    X509_free(x509);
    return status == 0 ? export_take_name(identity, name->text, why) : status;
}

int bypeer_identity_export_read(struct bypeer_identity_export *ret_identity, const char *text, size_t length,
                                const char *password, char why[static WHY_BYTES])
{
    struct bypeer_identity_export identity = {0};
    struct bypeer_xml xml;
    int status = bypeer_xml_read(&xml, text, length, BYPEER_IDENTITY_XML_MAX, why);
    if (status != 0)
        return status;
    status = export_read_xml(&identity, &xml, password, why);
    bypeer_xml_release(&xml);
    if (status == 0)
        *ret_identity = identity;
    else
        bypeer_identity_export_release(&identity);
    return status;
}

void bypeer_identity_export_release(struct bypeer_identity_export *identity)
{
    bypeer_key_free(identity->key);
    bypeer_certificate_free(identity->idc);
    free(identity->rotations);
    free(identity->delegation);
    *identity = (struct bypeer_identity_export){0};
}

#include "tools/cli/peer_file.h"

#include "tools/cli/cli.h"

static void print_list(FILE *out, const char *key, const json_t *list)
{
    size_t i;
    json_t *entry;
    json_array_foreach (list, i, entry) {
        fprintf(out, "%s%s", i ? ", " : key, json_string_value(entry));
    }
    if (json_array_size(list) > 0)
        fputc('\n', out);
}

void peer_file_print(FILE *out, const json_t *from, const char *private_key)
{
    fprintf(out, "# %s in %s\n[Interface]\n", cli_text(from, "name"), cli_text(from, "group"));
    if (private_key)
        fprintf(out, "PrivateKey = %s\n", private_key);
    else
        fprintf(out, "# PrivateKey = the one that %s was made of\n", cli_text(from, "public_key"));
    if (cli_text(from, "address")[0])
        fprintf(out, "Address = %s/128\n", cli_text(from, "address"));
    print_list(out, "DNS = ", json_object_get(from, "dns"));
    fprintf(out, "MTU = %d\n\n[Peer]\nPublicKey = %s\n", (int)cli_integer(from, "mtu"),
            cli_text(from, "hub_public_key"));
    if (cli_text(from, "preshared_key")[0])
        fprintf(out, "PresharedKey = %s\n", cli_text(from, "preshared_key"));
    print_list(out, "AllowedIPs = ", json_object_get(from, "allowed_ips"));
    fprintf(out, "Endpoint = %s\n", cli_text(from, "endpoint"));
    if (cli_integer(from, "keepalive"))
        fprintf(out, "PersistentKeepalive = %d\n", (int)cli_integer(from, "keepalive"));
}

/* Lines of `bypeer members load`: a member has an address, and a link only of the line itself; a wrong one says why. */
#include <stdlib.h>
#include <string.h>

#include "tools/cli/line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    struct line line = {0};
    enum line_kind kind = line_read(text, &line);
    if ((kind == LINE_WRONG) != (line.why[0] != '\0'))
        abort();
    if (line.link && (line.link < text || line.link >= text + size || strpbrk(line.link, " \t\r\n,#")))
        abort();
    free(text);
    return 0;
}

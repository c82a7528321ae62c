#include "tools/cli/qr.h"

#include <errno.h>
#include <qrencode.h>

#define QUIET 4 /* ISO/IEC 18004, 5.3.8: modules around the code */

/* Beyond the code, and below its last row, all is light. */
static bool qr_is_dark(const QRcode *code, int row, int column)
{
    if (row < 0 || row >= code->width || column < 0 || column >= code->width)
        return false;
    return code->data[row * code->width + column] & 1;
}

int qr_print(FILE *out, const char *text, bool colours)
{
    QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);
    if (!code)
        return errno == ENOMEM ? -ENOMEM : -ERANGE;
    for (int row = -QUIET; row < code->width + QUIET; row += 2) {
        fputs(colours ? "\033[97;40m" : "", out);
        for (int column = -QUIET; column < code->width + QUIET; column++) {
            bool upper = !qr_is_dark(code, row, column), lower = !qr_is_dark(code, row + 1, column);
            fputs(upper && lower ? "\u2588" : upper ? "\u2580" : lower ? "\u2584" : " ", out);
        }
        fputs(colours ? "\033[0m\n" : "\n", out);
    }
    QRcode_free(code);
    return 0;
}

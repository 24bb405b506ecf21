#include "text.h"

#include <string.h>

static size_t append(char * out, size_t size, size_t used, const char * text, size_t length) {
    for (size_t i = 0; i < length; i++, used++) {
        if (used < size - 1) {
            out[used] = text[i];
        }
    }
    return used;
}

bool text_format_list(char * out, size_t size, const char * format, va_list values) {
    size_t used = 0;
    while (*format) {
        size_t plain = strcspn(format, "%");
        used         = append(out, size, used, format, plain);
        format += plain;
        if (strncmp(format, "%s", 2) == 0) {
            const char * text = va_arg(values, const char *);
            used              = append(out, size, used, text, strlen(text));
            format += 2;
        } else if (strncmp(format, "%llu", 4) == 0) {
            char               digits[24];
            size_t             at    = sizeof(digits);
            unsigned long long value = va_arg(values, unsigned long long);
            do {
                digits[--at] = (char) ('0' + value % 10);
            } while (value /= 10);
            used = append(out, size, used, digits + at, sizeof(digits) - at);
            format += 4;
        } else if (*format) {
            used = append(out, size, used, format++, 1);
        }
    }
    out[used < size ? used : size - 1] = 0;
    return used < size;
}

bool text_format(char * out, size_t size, const char * format, ...) {
    va_list values;
    va_start(values, format);
    bool fits = text_format_list(out, size, format, values);
    va_end(values);
    return fits;
}

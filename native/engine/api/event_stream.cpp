#include "event_stream.h"

bool event_stream::next(std::string & data) {
    static const std::string MARK = "data: ";
    for (size_t end; (end = text.find('\n')) != std::string::npos;) {
        const std::string line = text.substr(0, end);
        text.erase(0, end + 1);
        if (line.compare(0, MARK.size(), MARK) == 0) {
            data = line.substr(MARK.size());
            return true;
        }
    }
    return false;
}

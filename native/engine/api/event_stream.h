// The events of an answer that upstream streams.
#pragma once

#include <string>

class event_stream {
  public:
    void add(const std::string & chunk) { text += chunk; }

    // Takes the next event's data, "[DONE]" being one. Returns false where none is complete yet.
    bool next(std::string & data);

  private:
    std::string text;
};

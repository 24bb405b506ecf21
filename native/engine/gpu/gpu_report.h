// Says on stderr, once the model is loaded, what runs it: "GPU: NVIDIA H200 through CUDA, 27/27 layers".
#pragma once

#include <string>

// What the line names before the layers. Without it there is no line.
void gpu_report_set(const std::string & what);

// No line after all.
void gpu_report_mute();

// What ctypes can call.
#pragma once
#define API extern "C" __attribute__((visibility("default")))

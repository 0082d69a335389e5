// Runs one kernel once on one frame, for bench/guard.py to count its instructions: valgrind sees only what is inside
// the kernel. Arguments: instruction set, case. AVX-512 is left out, for valgrind has none.
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "kernel.h"

using namespace telecine;

namespace {

constexpr int kWidth = 680, kHeight = 384;
constexpr std::size_t kPixels = std::size_t{kWidth} * kHeight;

struct Kernels {
    const char *isa;
    ToPlanes to_planes;
    ToRgb to_rgb;
};

const Kernels kKernels[] = {
    {"baseline", baseline::to_planes, baseline::to_rgb},
#ifdef TELECINE_X86
    {"avx2", avx2::to_planes, avx2::to_rgb},
#endif
};

struct Case {
    const char *name;
    Sample sample;
    int bytes, channels;
    bool planar;
    float high;
};

const Case kCases[] = {
    {"uint8-HWC", Sample::uint8, 1, 3, false, 255},    {"uint8-RGBA", Sample::uint8, 1, 4, false, 255},
    {"float32-CHW", Sample::float32, 4, 3, true, 1},   {"float32-HWC", Sample::float32, 4, 3, false, 1},
    {"bfloat16-CHW", Sample::bfloat16, 2, 3, true, 1},
};

// Values that are within the range in every sample: bytes of all kinds, floats from 0 to just under 1.
std::vector<char> pixels_of(const Case &each) {
    const std::size_t count = kPixels * static_cast<std::size_t>(each.channels);
    std::vector<char> memory(count * static_cast<std::size_t>(each.bytes));
    for (std::size_t at = 0; at < count; ++at) {
        const unsigned value = static_cast<unsigned>(at * 2654435761u >> 8) & 0xff;
        const float real = static_cast<float>(value) / 256;
        std::uint32_t bits;
        static_assert(sizeof bits == sizeof real);
        __builtin_memcpy(&bits, &real, sizeof bits);
        if (each.bytes == 1)
            memory[at] = static_cast<char>(value);
        else if (each.bytes == 2)
            __builtin_memcpy(&memory[2 * at], reinterpret_cast<char *>(&bits) + 2, 2);
        else
            __builtin_memcpy(&memory[4 * at], &bits, 4);
    }
    return memory;
}

void run(const Kernels &kernels, const Case &each) {
    const auto memory = pixels_of(each);
    const std::ptrdiff_t size = each.bytes, step = each.planar ? size : size * each.channels;
    const std::ptrdiff_t channel = each.planar ? size * static_cast<std::ptrdiff_t>(kPixels) : size;
    std::vector<char> y(kPixels), cb(kPixels / 4), cr(kPixels / 4);
    const float scale = 1 / each.high;
    const Matrix matrix{{{46.6f * scale, 156.6f * scale, 15.8f * scale, 16.5f},
                         {-25.7f * scale, -86.3f * scale, 112 * scale, 128.5f},
                         {112 * scale, -101.7f * scale, -10.3f * scale, 128.5f}},
                        {255, 0.5f},
                        0,
                        each.high,
                        {0, 0, 0}};
    kernels.to_planes(
        {memory.data(), step * kWidth, step, channel, kWidth, kHeight, each.channels, each.sample}, matrix,
        {{y.data(), cb.data(), cr.data(), nullptr}, {kWidth, kWidth / 2, kWidth / 2, 0}, 3, false, 1, 1, 1, nullptr});
}

void run_to_rgb(const Kernels &kernels) {
    const std::vector<char> y(kPixels, 100), c(kPixels / 4, 90);
    std::vector<std::uint8_t> rgb(3 * kPixels);
    kernels.to_rgb({y.data(), c.data(), c.data(), kWidth, kWidth / 2, kWidth, kHeight, 1, 1, 1, 0.0f, 0.5f},
                   {{{1.16f, 0, 1.79f, -248.1f}, {1.16f, -0.21f, -0.53f, 76.9f}, {1.16f, 2.11f, 0, -289.0f}}},
                   rgb.data());
}

}  // namespace

int main(int count, char **arguments) {
    if (count != 3) return 2;
    for (const auto &kernels : kKernels) {
        if (arguments[1] != std::string(kernels.isa)) continue;
        if (arguments[2] == std::string("to-rgb")) return run_to_rgb(kernels), 0;
        for (const auto &each : kCases)
            if (arguments[2] == std::string(each.name)) return run(kernels, each), 0;
    }
    std::fprintf(stderr, "no such kernel here\n");
    return 1;
}

// Feeds the kernels sizes, strides, samples and planes drawn from a fuzzer's input, each in memory of its exact size:
// ASan sees what is beyond. libFuzzer drives it, or kernel_random.cpp.
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "kernel.h"

using namespace telecine;

namespace {

const std::uint8_t *first_drawn, *next_drawn, *end_drawn;

// The bytes of the input, again and again: any input is a whole case.
int drawn() {
    if (next_drawn == end_drawn) next_drawn = first_drawn;
    return *next_drawn++;
}

int upto(int most) {
    const int byte = drawn();
    return (most < 256 ? byte : byte << 8 | drawn()) % (most + 1);
}

struct Kernels {
    ToPlanes to_planes;
    ToRgb to_rgb;
    ToFloatRgb to_float_rgb;
    ToSignal to_signal;
};

std::vector<Kernels> kernels_here() {
    std::vector<Kernels> found{{baseline::to_planes, baseline::to_rgb, baseline::to_float_rgb, baseline::to_signal}};
#ifdef TELECINE_X86
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2")) {
        found.push_back({avx2::to_planes, avx2::to_rgb, avx2::to_float_rgb, avx2::to_signal});
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
            __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
            __builtin_cpu_supports("avx512vl"))
            found.push_back({avx512::to_planes, avx512::to_rgb, avx512::to_float_rgb, avx512::to_signal});
    }
#endif
    return found;
}

int a_side() { return 1 + (upto(3) == 0 ? upto(1100) : upto(70)); }

// A frame's pixels, in memory of their exact size.
struct Frame {
    Pixels pixels;
    std::unique_ptr<std::uint64_t[]> memory;
    std::unique_ptr<char[]> exact;
};

Frame a_frame() {
    constexpr int sizes[] = {1, 2, 2, 2, 4, 8};
    const int height = 1 + upto(9), width = a_side(), channels = upto(2) == 0 ? 1 : 3 + upto(1), sample = upto(5);
    const std::ptrdiff_t size = sizes[sample];
    // The axes in any order in memory, some steps apart, some of them backwards or repeated.
    const int extents[] = {height, width, channels};
    int order[] = {0, 1, 2};
    std::swap(order[0], order[upto(2)]);
    std::swap(order[1], order[1 + upto(1)]);
    std::ptrdiff_t strides[3], all = size, first = 0;
    for (const int axis : order) {
        strides[axis] = all;
        all *= extents[axis];
        if (upto(3) == 0) all += size * upto(3);
    }
    for (int axis = 0; axis < 3; ++axis) {
        const int way = upto(7);
        if (way == 0) strides[axis] = 0;
        if (way != 1) continue;
        first += strides[axis] * (extents[axis] - 1);
        strides[axis] = -strides[axis];
    }
    std::unique_ptr<std::uint64_t[]> memory(new std::uint64_t[static_cast<std::size_t>((all + 7) / 8)]);
    std::unique_ptr<char[]> exact(new char[static_cast<std::size_t>(all)]);
    char *data = size == 8 ? reinterpret_cast<char *>(memory.get()) : exact.get();
    const bool wild = upto(3) == 0;  // any bits, NaN and infinity among them
    for (std::ptrdiff_t at = 0; at < all; ++at) data[at] = static_cast<char>(wild ? drawn() : drawn() % 60);
    return {{data + first, strides[0], strides[1], strides[2], width, height, channels, static_cast<Sample>(sample)},
            std::move(memory),
            std::move(exact)};
}

void to_planes(const Kernels &kernels) {
    const Frame frame = a_frame();
    const int width = frame.pixels.width, height = frame.pixels.height;
    // Planes, or packed pixels, in memory of their exact size.
    const int components = 3 + upto(1), bytes = 1 + upto(1);
    const bool packed = upto(3) == 0;
    const int wide = packed ? 0 : upto(1), high = packed ? 0 : upto(1);
    Planes out{{}, {}, components, packed, bytes, wide, high, nullptr};
    const std::ptrdiff_t columns = (width + wide) >> wide, rows = (height + high) >> high;
    std::vector<std::uint16_t> memory_of[4];
    for (int plane = 0; plane < (packed ? 1 : components); ++plane) {
        const bool chroma = plane == 1 || plane == 2;
        const std::ptrdiff_t row = (chroma ? columns : columns << wide) * (packed ? components : 1) * bytes;
        const std::ptrdiff_t count = chroma ? rows : rows << high;
        out.stride[plane] = row + bytes * upto(40);
        const std::ptrdiff_t all_rows = out.stride[plane] * (count - 1) + row;
        // An odd number of bytes starts at the second one, so that it ends with its memory.
        memory_of[plane].resize(static_cast<std::size_t>((all_rows + 1) / 2));
        out.plane[plane] = reinterpret_cast<char *>(memory_of[plane].data()) + all_rows % 2;
    }
    const std::vector<float> thresholds(static_cast<std::size_t>(threshold_rows * threshold_columns), 0.75f);
    if (bytes == 1 && upto(2) == 0) out.thresholds = thresholds.data();
    const float scale = 1.0f / static_cast<float>(1 + upto(300));
    const Matrix matrix{{{0.2f * scale, 0.6f * scale, 0.1f * scale, 16.5f},
                         {-0.1f * scale, -0.3f * scale, 0.4f * scale, 128.5f},
                         {0.4f * scale, -0.3f * scale, -0.1f * scale, 128.5f}},
                        {255.0f, 0.5f},
                        static_cast<float>(-upto(2)),
                        static_cast<float>(1 + upto(300)),
                        {0, 1, 0}};
    kernels.to_planes(frame.pixels, matrix, out);
}

// Curves of any length, each there or not, whose values don't matter.
void to_signal(const Kernels &kernels) {
    const Frame frame = a_frame();
    Grade grade{{{0.6f, 0.3f, 0.1f}, {0.1f, 0.9f, 0}, {0, 0.1f, 0.9f}},
                static_cast<float>(-upto(2)),
                static_cast<float>(1 + upto(300)),
                {0, 1, 0},
                {},
                {},
                {},
                {},
                upto(1) == 0,
                {0.3f, 0.6f, 0.1f},
                1000};
    std::vector<float> pieces[4];
    Curve *curves[] = {&grade.signal, &grade.level, &grade.scene, &grade.luminance};
    for (int curve = 0; curve < 4; ++curve) {
        const int count = upto(2) == 0 ? 0 : 1 + upto(70) * 256;
        pieces[curve].assign(static_cast<std::size_t>(2 * count), 0.5f);
        *curves[curve] = {pieces[curve].data(), count};
    }
    std::vector<float> signal(static_cast<std::size_t>(3) * frame.pixels.width * frame.pixels.height);
    kernels.to_signal(frame.pixels, grade, signal.data());
}

void to_rgb(const Kernels &kernels) {
    const int width = a_side(), height = 1 + upto(9), bytes = 1 + upto(1), wide = upto(1), high = upto(1);
    const std::ptrdiff_t columns = (width + wide) >> wide, rows = (height + high) >> high;
    const std::ptrdiff_t y_stride = bytes * (width + upto(40)), c_stride = bytes * (columns + upto(40));
    const float chroma_x = 0.5f * upto(2), chroma_y = 0.5f * upto(2);
    const auto plane = [&](std::ptrdiff_t stride, std::ptrdiff_t row, std::ptrdiff_t count) {
        std::vector<char> bytes_of(static_cast<std::size_t>(stride * (count - 1) + row * bytes));
        for (char &each : bytes_of) each = static_cast<char>(drawn());
        return bytes_of;
    };
    const auto y = plane(y_stride, width, height), cb = plane(c_stride, columns, rows), cr = cb;
    const float scale = bytes == 1 ? 1.0f : 1.0f / 257;
    const Picture picture{y.data(), cb.data(), cr.data(), y_stride, c_stride, width,
                          height,   bytes,     wide,      high,     chroma_x, chroma_y};
    const InverseMatrix matrix{
        {{scale, 0, 1.6f * scale, -223}, {scale, -0.4f * scale, -0.8f * scale, 136}, {scale, 2.0f * scale, 0, -277}}};
    const auto samples = static_cast<std::size_t>(3) * width * height;
    kernels.to_rgb(picture, matrix, std::vector<std::uint8_t>(samples).data());
    kernels.to_float_rgb(picture, matrix, std::vector<float>(samples).data());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *input, std::size_t size) {
    static const auto kernels = kernels_here();
    if (size == 0) return 0;
    first_drawn = input, end_drawn = input + size;
    for (const Kernels &each : kernels) {
        next_drawn = first_drawn;
        constexpr void (*runs[])(const Kernels &) = {to_planes, to_rgb, to_signal};
        runs[upto(2)](each);
    }
    return 0;
}

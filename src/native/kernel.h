// The interface between the Python binding and the kernels: plain data, no allocation, no library types.
//
// kernel.cpp is compiled once for each instruction set, each time into its own namespace, and module.cpp picks one
// at import. So this header must stay free of inline functions and templates: a copy compiled for AVX-512 could
// otherwise be the one that the linker keeps for everyone.
#pragma once

#include <cstddef>
#include <cstdint>

namespace telecine {

enum class Sample : int { uint8, uint16, float16, bfloat16, float32, float64 };

// One frame of pixels, anywhere in memory. Strides are in bytes and may be negative or zero.
struct Pixels {
    const char *data;
    std::ptrdiff_t row_stride, column_stride, channel_stride;
    int width, height;
    int channels;  // 1 gray, 3 RGB, 4 RGBA
    Sample sample;
};

// Y' = trunc(y[0] R + y[1] G + y[2] B + y[3]), and so for Cb and Cr, with R, G, B as they are stored, less `low`.
// The value range, the offsets of limited range and the 0.5 of rounding are folded in.
struct Matrix {
    float y[4], cb[4], cr[4];
    float low, high;      // float values are clamped to this; integers are within it
    float background[3];  // what alpha is composited on, as stored
};

struct Planes {
    std::uint8_t *y, *cb, *cr;
    std::ptrdiff_t y_stride, c_stride;
};

struct Statistics {
    float deviation;  // the largest |value - (low + high) / 2| of tiles with a value out of range: infinite or NaN if
                      // one is; 0 where all values are within
    float alpha;      // the smallest alpha, 0 transparent to 1 opaque
};

// A decoded picture: planes of 8 bit, or of 9 to 16 bit in native 16-bit words.
struct Picture {
    const char *y, *cb, *cr;
    std::ptrdiff_t y_stride, c_stride;
    int width, height;
    int bytes_per_sample;
    int log2_chroma_width, log2_chroma_height;  // 1, 1 for 4:2:0
    float chroma_x, chroma_y;  // where a chroma sample sits, in luma samples right of and below the first it covers
};

// R = luma Y + r Cr + offset[0], G = luma Y + g_cb Cb + g_cr Cr + offset[1], B = luma Y + b Cb + offset[2], 0 to 255.
struct InverseMatrix {
    float luma, r_cr, g_cb, g_cr, b_cb;
    float offset[3];
};

using ToPlanes = Statistics (*)(const Pixels &, const Matrix &, const Planes &);
using ToRgb = void (*)(const Picture &, const InverseMatrix &, std::uint8_t *rgb);

#define TELECINE_KERNEL(isa)                                                             \
    namespace isa {                                                                      \
    Statistics to_planes(const Pixels &pixels, const Matrix &matrix, const Planes &out); \
    void to_rgb(const Picture &picture, const InverseMatrix &matrix, std::uint8_t *rgb); \
    }
TELECINE_KERNEL(baseline)
TELECINE_KERNEL(avx2)
TELECINE_KERNEL(avx512)
#undef TELECINE_KERNEL

}  // namespace telecine

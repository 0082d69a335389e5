// The interface between the Python binding and the kernels: plain data, no allocation, no library types.
//
// The kernels are compiled once for each instruction set, each time into its own namespace, and module.cpp picks one
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

// The codes of a pixel, in the order of their planes: trunc(c[0] R + c[1] G + c[2] B + c[3]) for each of three
// components (Y', Cb and Cr, or R, G and B in some order), with R, G, B as they are stored, less `low`. The value
// range, the offsets of limited range and the 0.5 of rounding are folded in. Alpha is trunc(alpha[0] A + alpha[1]), A
// in [0, 1].
struct Matrix {
    float component[3][4];
    float alpha[2];
    float low, high;      // float values are clamped to this; integers are within it
    float background[3];  // what alpha is composited on where it is not kept, as stored
};

// Dither adds thresholds in (0, 1) in place of the 0.5 of rounding: rows of one tile, which repeat downwards.
constexpr int threshold_rows = 64, threshold_columns = 512;

// Where the codes go: planes of 8 bit, or of 9 to 16 bit in native 16-bit words, whose strides are in bytes.
struct Planes {
    char *plane[4];  // of the components, and of alpha where there are four; packed pixels have the first only
    std::ptrdiff_t stride[4];
    int components;
    bool packed;
    int bytes_per_sample;
    int log2_chroma_width, log2_chroma_height;  // 1, 1 for 4:2:0; then the planes hold even sides
    const float *thresholds;                    // of 8 bit with dither, or null
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

// R = c[0] Y + c[1] Cb + c[2] Cr + c[3], and so for G and B.
struct InverseMatrix {
    float component[3][4];
};

// A function of light from 2^-60 up, straight between points that lie 256 to an octave: at each point its value, and
// how much it grows to the next.
constexpr int curve_log2_points = 8, curve_lowest_exponent = -60;
struct Curve {
    const float *pieces;
    int count;  // of pairs; 0 where there is no such function
};

// RGB to a signal: matrix (RGB - low), composited on the background, times a factor if there is one, then through
// `signal`. A curve that is not there changes nothing.
//
// A pixel's level is its largest channel through `level`; the factor, `luminance` of the weighted sum of the channels
// through `scene`, is the level's where `factor_of_level` says so.
struct Grade {
    float matrix[3][3];
    float low, high;  // transparent and opaque, in alpha
    float background[3];
    Curve signal, level, scene, luminance;
    bool factor_of_level;
    float weights[3];
    float peak;  // that levels are clamped to
};

struct Levels {
    float largest;
    double sum;
    float alpha;      // the smallest
    float deviation;  // the largest |value - (low + high) / 2|: infinite or NaN if a value is
};

using ToPlanes = Statistics (*)(const Pixels &, const Matrix &, const Planes &);
// (height, width, 3) of rounded bytes from 0 to 255, or of float32 as they come.
using ToRgb = void (*)(const Picture &, const InverseMatrix &, std::uint8_t *rgb);
using ToFloatRgb = void (*)(const Picture &, const InverseMatrix &, float *rgb);
// (3, height, width) in [0, 1].
using ToSignal = Levels (*)(const Pixels &, const Grade &, float *signal);

#define TELECINE_KERNEL(isa)                                                             \
    namespace isa {                                                                      \
    Statistics to_planes(const Pixels &pixels, const Matrix &matrix, const Planes &out); \
    void to_rgb(const Picture &picture, const InverseMatrix &matrix, std::uint8_t *rgb); \
    void to_float_rgb(const Picture &picture, const InverseMatrix &matrix, float *rgb);  \
    Levels to_signal(const Pixels &pixels, const Grade &grade, float *signal);           \
    }
TELECINE_KERNEL(baseline)
TELECINE_KERNEL(avx2)
TELECINE_KERNEL(avx512)
#undef TELECINE_KERNEL

}  // namespace telecine

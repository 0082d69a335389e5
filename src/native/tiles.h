// What the kernels share: a frame goes through in tiles that stay in the first-level cache, loaded as float rows.
//
// The loops of the kernels are written for the compiler's vectoriser: no branches, no calls, one job each. Contraction
// to fused multiply-add is off (see CMakeLists.txt), so every instruction set gives the same bytes.
#pragma once

#include <cstring>

#include "compiler.h"
#include "kernel.h"

#ifndef TELECINE_ISA
#define TELECINE_ISA baseline
#endif

namespace telecine {
namespace TELECINE_ISA {
namespace {

constexpr int tile_width = 512;  // 6 rows of float32 in 12 KiB; even, so that no chroma sample spans a third tile
static_assert(tile_width == threshold_columns, "thresholds are of a tile");

template <class To, class From>
inline To bit_cast(From from) {
    static_assert(sizeof(To) == sizeof(From), "same size");
    To to;
    std::memcpy(&to, &from, sizeof to);
    return to;
}

// ---- one stored sample to float ------------------------------------------------------------------------------------

struct Uint8 {
    using Stored = std::uint8_t;
    static constexpr bool integer = true;
    static float value(Stored v) { return static_cast<float>(v); }
};

struct Uint16 {
    using Stored = std::uint16_t;
    static constexpr bool integer = true;
    static float value(Stored v) { return static_cast<float>(v); }
};

struct Float16 {
    using Stored = std::uint16_t;
    static constexpr bool integer = false;
    // IEEE 754 binary16 by integer operations: it vectorises everywhere, and holds when subnormals are flushed to zero.
    static float value(Stored v) {
        const std::uint32_t shifted = (v & 0x7fffu) << 13;
        const std::uint32_t exponent = shifted & (0x7c00u << 13);
        const std::uint32_t special = exponent == (0x7c00u << 13) ? (128u - 16u) << 23 : 0u;
        const float normal = bit_cast<float>(shifted + ((127u - 15u) << 23) + special);
        const float subnormal = bit_cast<float>(shifted + (113u << 23)) - bit_cast<float>(113u << 23);
        const float magnitude = exponent == 0 ? subnormal : normal;
        return bit_cast<float>(bit_cast<std::uint32_t>(magnitude) | (v & 0x8000u) << 16);
    }
};

struct Bfloat16 {
    using Stored = std::uint16_t;
    static constexpr bool integer = false;
    static float value(Stored v) { return bit_cast<float>(static_cast<std::uint32_t>(v) << 16); }
};

struct Float32 {
    using Stored = float;
    static constexpr bool integer = false;
    static float value(Stored v) { return v; }
};

struct Float64 {
    using Stored = double;
    static constexpr bool integer = false;
    static float value(Stored v) { return static_cast<float>(v); }
};

template <class Stored>
inline Stored stored_at(const char *at) {
    Stored v;
    std::memcpy(&v, at, sizeof v);
    return v;
}

// ---- a row of a tile to float --------------------------------------------------------------------------------------

template <class Type>
void load_planar(const char *from, int n, float *__restrict to) {
    for (int x = 0; x < n; ++x)
        to[x] = Type::value(stored_at<typename Type::Stored>(from + x * sizeof(typename Type::Stored)));
}

template <class Type>
void load_strided(const char *from, std::ptrdiff_t stride, int n, float *__restrict to) {
    for (int x = 0; x < n; ++x) to[x] = Type::value(stored_at<typename Type::Stored>(from + x * stride));
}

// Three channels out of pixels of `width` samples: grouped loads that the vectoriser turns into shuffles.
template <class Type, int width>
void load_packed(const char *from, int n, float *__restrict a, float *__restrict b, float *__restrict c) {
    using Stored = typename Type::Stored;
    for (int x = 0; x < n; ++x) {
        const char *at = from + x * (width * static_cast<std::ptrdiff_t>(sizeof(Stored)));
        a[x] = Type::value(stored_at<Stored>(at));
        b[x] = Type::value(stored_at<Stored>(at + sizeof(Stored)));
        c[x] = Type::value(stored_at<Stored>(at + 2 * sizeof(Stored)));
    }
}

struct Tile {
    alignas(64) float channel[4][tile_width];
};
template <class Type>
void load_channels(const Pixels &pixels, const char *from, int n, Tile &tile) {
    constexpr auto size = static_cast<std::ptrdiff_t>(sizeof(typename Type::Stored));
    const std::ptrdiff_t channel = pixels.channel_stride, column = pixels.column_stride;
    auto *to = tile.channel;
    int c = 0;
    if (pixels.channels >= 3 && channel == size && column == 3 * size) {
        load_packed<Type, 3>(from, n, to[0], to[1], to[2]);
        c = 3;
    } else if (pixels.channels >= 3 && channel == size && column == 4 * size) {
        load_packed<Type, 4>(from, n, to[0], to[1], to[2]);
        c = 3;
    } else if (pixels.channels == 3 && channel == -size && column == 3 * size) {  // OpenCV's BGR viewed as RGB
        load_packed<Type, 3>(from - 2 * size, n, to[2], to[1], to[0]);
        c = 3;
    }
    for (; c < pixels.channels; ++c) {
        if (column == size)
            load_planar<Type>(from + c * channel, n, to[c]);
        else
            load_strided<Type>(from + c * channel, column, n, to[c]);
    }
}

// Stored alpha to [0, 1].
[[maybe_unused]] void normalize_alpha(float low, float high, int n, float *__restrict alpha) {
    const float scale = 1.0f / (high - low);
    for (int x = 0; x < n; ++x) {
        float a = (alpha[x] - low) * scale;
        a = a > 0.0f ? a : 0.0f;
        alpha[x] = a < 1.0f ? a : 1.0f;
    }
}

// The smallest of alpha in [0, 1], or `smallest`.
[[maybe_unused]] float smallest_alpha(const float *__restrict alpha, int n, float smallest) {
    auto bits = bit_cast<std::int32_t>(smallest);  // ordered as the floats are, for none is negative
    for (int x = 0; x < n; ++x) {
        const auto b = bit_cast<std::int32_t>(alpha[x]);
        bits = bits < b ? bits : b;
    }
    return bit_cast<float>(bits);
}

// The largest |value - middle|, as the bits of a float: an integer maximum keeps NaN and infinity, and vectorises.
[[maybe_unused]] std::int32_t largest_deviation(const char *samples, int n, float low, float high,
                                                std::int32_t largest) {
    const float middle = 0.5f * (low + high);
    for (int x = 0; x < n; ++x) {
        const float value = stored_at<float>(samples + x * static_cast<std::ptrdiff_t>(sizeof(float)));
        const std::int32_t bits = bit_cast<std::int32_t>(value - middle) & 0x7fffffff;
        largest = largest > bits ? largest : bits;
    }
    return largest;
}

}  // namespace
}  // namespace TELECINE_ISA
}  // namespace telecine

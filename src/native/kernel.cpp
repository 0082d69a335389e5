// Pixels to the planes of a frame, and back, exactly rounded: the loops.
//
// A frame goes through in tiles that stay in the first-level cache, of one row, or of a pair where chroma is halved in
// height, so every pixel is read from memory once. A tile is loaded as float rows R, G, B, whatever it was stored as;
// planar float32 is read in place. All formats are three sums of R, G and B with other weights: Y', Cb and Cr, or R, G
// and B themselves. Float32 carries 24 bits: the error of the few operations below is under 1e-4 of an 8-bit code.
//
// The loops are written for the compiler's vectoriser: no branches, no calls, one job each. Contraction to fused
// multiply-add is off (see CMakeLists.txt), so every instruction set gives the same bytes.

#include "kernel.h"

#include <initializer_list>

#ifndef TELECINE_ISA
#define TELECINE_ISA baseline
#endif

namespace telecine {
namespace TELECINE_ISA {
namespace {

constexpr int tile_width = 512;  // 6 rows of float32 in 12 KiB; even, so that no chroma sample spans a third tile
static_assert(tile_width == threshold_columns, "thresholds are of a tile");
constexpr int block_width = 128;  // columns between two rounds of prefetching

template <class To, class From>
inline To bit_cast(From from) {
    static_assert(sizeof(To) == sizeof(From), "same size");
    To to;
    __builtin_memcpy(&to, &from, sizeof to);
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
    __builtin_memcpy(&v, at, sizeof v);
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

// Where the float32 samples of a row of a tile are: in a Tile, or in the caller's frame, which need not be aligned.
struct Row {
    const char *r, *g, *b;
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
void normalize_alpha(float low, float high, int n, float *__restrict alpha) {
    const float scale = 1.0f / (high - low);
    for (int x = 0; x < n; ++x) {
        float a = (alpha[x] - low) * scale;
        a = a > 0.0f ? a : 0.0f;
        alpha[x] = a < 1.0f ? a : 1.0f;
    }
}

// The smallest of alpha in [0, 1], or `smallest`.
float smallest_alpha(const float *__restrict alpha, int n, float smallest) {
    auto bits = bit_cast<std::int32_t>(smallest);  // ordered as the floats are, for none is negative
    for (int x = 0; x < n; ++x) {
        const auto b = bit_cast<std::int32_t>(alpha[x]);
        bits = bits < b ? bits : b;
    }
    return bit_cast<float>(bits);
}

// Straight alpha over the background.
void composite(const Matrix &matrix, int n, Tile &tile) {
    const float low = matrix.low, high = matrix.high;
    const float *__restrict alpha = tile.channel[3];
    for (int c = 0; c < 3; ++c) {
        float *__restrict v = tile.channel[c];
        const float ground = matrix.background[c];
        for (int x = 0; x < n; ++x) {
            float value = v[x] > low ? v[x] : low;
            value = value < high ? value : high;
            v[x] = ground + alpha[x] * (value - ground);
        }
    }
}

// The largest |value - middle|, as the bits of a float: an integer maximum keeps NaN and infinity, and vectorises.
std::int32_t largest_deviation(const char *samples, int n, float low, float high, std::int32_t largest) {
    const float middle = 0.5f * (low + high);
    for (int x = 0; x < n; ++x) {
        const float value = stored_at<float>(samples + x * static_cast<std::ptrdiff_t>(sizeof(float)));
        const std::int32_t bits = bit_cast<std::int32_t>(value - middle) & 0x7fffffff;
        largest = largest > bits ? largest : bits;
    }
    return largest;
}

// The value above `low`, unclamped: what the loop below works on. It also keeps the largest of the bits, unsigned: they
// exceed the bits of `high - low` if and only if a value was below `low`, above `high`, infinite or not a number.
struct Unchecked {
    float low;
    std::uint32_t largest;
    float above_low(float value) {
        value -= low;
        const std::uint32_t bits = bit_cast<std::uint32_t>(value);
        largest = largest > bits ? largest : bits;
        return value;
    }
};

// The same within 0 and `span`; a NaN becomes 0: the order of the comparisons keeps the conversion to integer defined.
struct Clamped {
    float low, span;
    float above_low(float value) {
        value -= low;
        value = value > 0.0f ? value : 0.0f;
        return value < span ? value : span;
    }
};

struct Integer {
    float above_low(float value) { return value; }
};

// ---- float rows to codes -------------------------------------------------------------------------------------------

// Of unchecked values a code may be out of an int's range: C++ then leaves the result undefined, which every processor
// gives as some number, and it is written over.
#define TELECINE_ANY_FLOAT __attribute__((no_sanitize("float-cast-overflow")))

// The 0.5 that makes truncation round is in the matrix's offsets.
template <class Stored>
struct Rounded {
    using Code = Stored;
    static Rounded in_row(const Planes &, int) { return {}; }
    Rounded from_column(int) const { return *this; }
    TELECINE_ANY_FLOAT Code code(float value, int) const { return static_cast<Code>(static_cast<int>(value)); }
};

struct Dithered {
    using Code = std::uint8_t;
    const float *threshold;
    static Dithered in_row(const Planes &out, int y) {
        return {out.thresholds + y % threshold_rows * threshold_columns};
    }
    Dithered from_column(int x) const { return {threshold + x}; }
    TELECINE_ANY_FLOAT Code code(float value, int x) const {
        value += threshold[x];
        return static_cast<Code>(static_cast<int>(value < 255.0f ? value : 255.0f));
    }
};

// Inlined, a loop's pointers lose their __restrict and the loop its vectors.
#define TELECINE_LOOP __attribute__((noinline))

// One or two rows of a tile: their first component, and the other two, summed over the rows, as float.
template <int rows, class Limit, class Rounding>
TELECINE_LOOP Limit components(const Row &top, const Row &bottom, const Matrix &m, int n, Limit limit,
                               Rounding round_top, Rounding round_bottom, typename Rounding::Code *__restrict first_top,
                               typename Rounding::Code *__restrict first_bottom, float *__restrict second,
                               float *__restrict third) {
    const float yr = m.component[0][0], yg = m.component[0][1], yb = m.component[0][2], y0 = m.component[0][3];
    const float br = m.component[1][0], bg = m.component[1][1], bb = m.component[1][2];
    const float rr = m.component[2][0], rg = m.component[2][1], rb = m.component[2][2];
    for (int x = 0; x < n; ++x) {
        const std::ptrdiff_t at = x * static_cast<std::ptrdiff_t>(sizeof(float));
        float r = limit.above_low(stored_at<float>(top.r + at));
        float g = limit.above_low(stored_at<float>(top.g + at));
        float b = limit.above_low(stored_at<float>(top.b + at));
        first_top[x] = round_top.code(yr * r + yg * g + yb * b + y0, x);
        if (rows == 2) {
            const float r1 = limit.above_low(stored_at<float>(bottom.r + at));
            const float g1 = limit.above_low(stored_at<float>(bottom.g + at));
            const float b1 = limit.above_low(stored_at<float>(bottom.b + at));
            first_bottom[x] = round_bottom.code(yr * r1 + yg * g1 + yb * b1 + y0, x);
            r += r1, g += g1, b += b1;
        }
        second[x] = br * r + bg * g + bb * b;
        third[x] = rr * r + rg * g + rb * b;
    }
    return limit;
}

template <class Rounding>
TELECINE_LOOP void whole_row(const float *__restrict values, int n, float scale, float offset, Rounding rounding,
                             typename Rounding::Code *__restrict out) {
    for (int x = 0; x < n; ++x) out[x] = rounding.code(values[x] * scale + offset, x);
}

// 1-2-1 about every even column, chroma sited left (ITU-T H.264 E.2.1, chroma_sample_loc_type 0). values[-1] is the
// column before the tile.
template <int rows, class Rounding>
TELECINE_LOOP void halved_row(const float *__restrict values, int n, float offset, Rounding rounding,
                              typename Rounding::Code *__restrict out) {
    for (int i = 0; i < n; ++i)
        out[i] =
            rounding.code((values[2 * i - 1] + 2.0f * values[2 * i] + values[2 * i + 1]) * (0.25f / rows) + offset, i);
}

template <class Code, int components>
TELECINE_LOOP void interleave(const Code (&rows)[4][tile_width], int n, Code *__restrict out) {
    for (int x = 0; x < n; ++x)
        for (int c = 0; c < components; ++c) out[components * x + c] = rows[c][x];
}

// ---- a frame -------------------------------------------------------------------------------------------------------

// A frame's pixels, and what to do with them.
struct Source {
    const Pixels &pixels;
    const Matrix &matrix;
    bool keeps_alpha;  // in a plane of its own: nothing is composited
    bool integer;
    bool in_place;  // float32 rows, read where they are
    void (*load)(const Pixels &pixels, const char *from, int n, Tile &tile);
};

template <class Type>
Source source_of(const Pixels &pixels, const Matrix &matrix, bool keeps_alpha) {
    constexpr bool is_float = sizeof(typename Type::Stored) == sizeof(float);
    const bool in_place =
        is_float && pixels.channels != 4 && pixels.column_stride == static_cast<std::ptrdiff_t>(sizeof(float));
    return {pixels, matrix, keeps_alpha, Type::integer, in_place, load_channels<Type>};
}

Source source_of(const Pixels &pixels, const Matrix &matrix, bool keeps_alpha) {
    switch (pixels.sample) {
        case Sample::uint8: return source_of<Uint8>(pixels, matrix, keeps_alpha);
        case Sample::uint16: return source_of<Uint16>(pixels, matrix, keeps_alpha);
        case Sample::float16: return source_of<Float16>(pixels, matrix, keeps_alpha);
        case Sample::bfloat16: return source_of<Bfloat16>(pixels, matrix, keeps_alpha);
        case Sample::float32: return source_of<Float32>(pixels, matrix, keeps_alpha);
        default: return source_of<Float64>(pixels, matrix, keeps_alpha);
    }
}

// What a frame's loops carry from tile to tile.
struct State {
    Tile tiles[2];
    struct {
        alignas(64) float before[16];  // the last one is the column before the tile
        float row[tile_width + 16];
    } chroma[2];
    std::int32_t deviation;
    float alpha;
};

// The alpha of a loaded tile, kept or used up.
TELECINE_LOOP void take_alpha(const Source &source, int n, Tile &tile, State &state) {
    // Looked at before clamping and compositing, which would hide what is out of range or not a number.
    if (!source.integer)
        for (int c = source.keeps_alpha ? 3 : 0; c < 4; ++c)
            state.deviation = largest_deviation(reinterpret_cast<const char *>(tile.channel[c]), n, source.matrix.low,
                                                source.matrix.high, state.deviation);
    normalize_alpha(source.matrix.low, source.matrix.high, n, tile.channel[3]);
    if (source.keeps_alpha) return;
    state.alpha = smallest_alpha(tile.channel[3], n, state.alpha);
    composite(source.matrix, n, tile);
}

inline Row load_row(const Source &source, int x, int y, int n, Tile &tile, State &state) {
    const Pixels &pixels = source.pixels;
    const char *from = pixels.data + y * pixels.row_stride + x * pixels.column_stride;
    if (source.in_place) {
        const std::ptrdiff_t next = pixels.channels == 1 ? 0 : pixels.channel_stride;
        return {from, from + next, from + 2 * next};
    }
    source.load(pixels, from, n, tile);
    if (pixels.channels == 4) take_alpha(source, n, tile, state);
    const auto at = [&](int c) { return reinterpret_cast<const char *>(tile.channel[c]); };
    return pixels.channels == 1 ? Row{at(0), at(0), at(0)} : Row{at(0), at(1), at(2)};
}

Row from_column(const Row &row, int x) {
    const std::ptrdiff_t at = x * static_cast<std::ptrdiff_t>(sizeof(float));
    return {row.r + at, row.g + at, row.b + at};
}

// `ahead` is the way from these rows to the next ones, in bytes, where they are read in place; else 0.
template <int rows, class Rounding, class Code = typename Rounding::Code>
void tile_components(const Source &source, const Row &top, const Row &bottom, int n, std::ptrdiff_t ahead,
                     const Rounding (&rounding)[rows], Code *first_top, Code *first_bottom, State &state) {
    const Matrix &matrix = source.matrix;
    float *const second = state.chroma[0].row, *const third = state.chroma[1].row;
    const Rounding &round_bottom = rounding[rows - 1];
    if (source.integer) {
        components<rows>(top, bottom, matrix, n, Integer{}, rounding[0], round_bottom, first_top, first_bottom, second,
                         third);
        return;
    }
    const float span = matrix.high - matrix.low;
    const int block = ahead != 0 ? block_width : n;
    Unchecked seen{matrix.low, 0};
    for (int x = 0; x < n; x += block) {
        const int count = n - x < block ? n - x : block;
        const Row t = from_column(top, x), b = from_column(bottom, x);
        // Six streams are more than processors prefetch by themselves: a frame that is not in the cache takes half the
        // time when these columns of the next rows are asked for now, a few lines at a time.
        if (ahead != 0)
            for (const char *samples : {t.r, t.g, t.b, b.r, b.g, b.b})
                for (int i = 0; i < count; i += 16) __builtin_prefetch(samples + ahead + i * sizeof(float));
        seen = components<rows>(t, b, matrix, count, seen, rounding[0].from_column(x), round_bottom.from_column(x),
                                first_top + x, first_bottom + x, second + x, third + x);
    }
    if (seen.largest <= bit_cast<std::uint32_t>(span)) return;
    // Something is out of range: this tile again, clamped, while it is in the cache.
    components<rows>(top, bottom, matrix, n, Clamped{matrix.low, span}, rounding[0], round_bottom, first_top,
                     first_bottom, second, third);
    for (const char *samples : {top.r, top.g, top.b, bottom.r, bottom.g, bottom.b})
        state.deviation = largest_deviation(samples, n, matrix.low, matrix.high, state.deviation);
}

// The tiles of one row, or of a pair that shares its chroma. Below an odd height the bottom row is the top row again.
template <int rows, class Rounding>
void row_group(const Source &source, int y, const Planes &out, State &state) {
    using Code = typename Rounding::Code;
    const Pixels &pixels = source.pixels;
    const Matrix &matrix = source.matrix;
    const int width = pixels.width, below = y + rows - 1 < pixels.height ? y + rows - 1 : y;
    const std::ptrdiff_t ahead = source.in_place && y + 2 * rows - 1 < pixels.height ? rows * pixels.row_stride : 0;
    const bool halved = out.log2_chroma_width == 1;
    Code packed[4][tile_width];
    const auto plane_row = [&](int plane, int row) {
        return out.packed ? packed[plane] : reinterpret_cast<Code *>(out.plane[plane] + row * out.stride[plane]);
    };
    for (int x = 0; x < width; x += tile_width) {
        const int n = width - x < tile_width ? width - x : tile_width, at = out.packed ? 0 : x;
        const Row top = load_row(source, x, y, n, state.tiles[0], state);
        const Row bottom = rows == 2 ? load_row(source, x, below, n, state.tiles[1], state) : top;
        Rounding rounding[rows];
        for (int row = 0; row < rows; ++row) rounding[row] = Rounding::in_row(out, y + row);
        tile_components<rows, Rounding>(source, top, bottom, n, ahead, rounding, plane_row(0, y) + at,
                                        plane_row(0, y + rows - 1) + at, state);
        for (int c = 0; c < 2; ++c) {
            float *const values = state.chroma[c].row;
            const float offset = matrix.component[c + 1][3];
            Code *const to = plane_row(c + 1, y / rows);
            const Rounding of_row = Rounding::in_row(out, y / rows);
            if (!halved) {
                whole_row(values, n, 1.0f / rows, offset, of_row, to + at);
                continue;
            }
            if (x == 0) values[-1] = values[0];         // the first column, repeated
            if (n % 2 == 1) values[n] = values[n - 1];  // the last of an odd width, repeated
            halved_row<rows>(values, (n + 1) / 2, offset, of_row, to + x / 2);
            values[-1] = values[n - 1];
        }
        if (source.keeps_alpha)
            for (int row = 0; row < rows; ++row)
                whole_row(state.tiles[row].channel[3], n, matrix.alpha[0], matrix.alpha[1], rounding[row],
                          plane_row(3, y + row) + at);
        if (out.packed) {
            Code *const to = reinterpret_cast<Code *>(out.plane[0] + y * out.stride[0]) + x * out.components;
            out.components == 4 ? interleave<Code, 4>(packed, n, to) : interleave<Code, 3>(packed, n, to);
        }
    }
    if (halved && width % 2 == 1)
        for (int plane = 0; plane < out.components; plane += 3)
            for (int row = y; row < y + rows; ++row) plane_row(plane, row)[width] = plane_row(plane, row)[width - 1];
}

template <class Rounding>
Statistics frame_to_planes(const Source &source, const Planes &out) {
    State state;
    state.deviation = 0;
    state.alpha = 1.0f;
    if (source.keeps_alpha && source.pixels.channels != 4)
        for (Tile &tile : state.tiles)
            for (float &alpha : tile.channel[3]) alpha = 1.0f;
    if (out.log2_chroma_height == 1)
        for (int y = 0; y < source.pixels.height; y += 2) row_group<2, Rounding>(source, y, out, state);
    else
        for (int y = 0; y < source.pixels.height; ++y) row_group<1, Rounding>(source, y, out, state);
    return {bit_cast<float>(state.deviation), state.alpha};
}

// ---- planes to RGB -------------------------------------------------------------------------------------------------

// A chroma row for the luma row y, interpolated down; `from` to `from + n` may leave the plane, whose edge is repeated.
template <class Type>
void chroma_between_rows(const Picture &picture, const char *plane, int y, int from, int n, float *__restrict to) {
    const int shift = picture.log2_chroma_height;
    const int rows = (picture.height + (1 << shift) - 1) >> shift;
    const int columns = (picture.width + (1 << picture.log2_chroma_width) - 1) >> picture.log2_chroma_width;
    const int near = y >> shift;
    int far = near;
    float weight = 0.0f;
    if (shift == 1) {
        far = y % 2 == 0 ? near - 1 : near + 1;
        weight = 0.5f * (y % 2 == 0 ? picture.chroma_y : 1.0f - picture.chroma_y);
    }
    far = far < 0 ? 0 : far >= rows ? rows - 1 : far;
    const char *const a = plane + near * picture.c_stride, *const b = plane + far * picture.c_stride;
    for (int i = 0; i < n; ++i) {
        const int column = from + i < 0 ? 0 : from + i >= columns ? columns - 1 : from + i;
        const std::ptrdiff_t at = column * static_cast<std::ptrdiff_t>(sizeof(typename Type::Stored));
        const float here = Type::value(stored_at<typename Type::Stored>(a + at));
        const float there = Type::value(stored_at<typename Type::Stored>(b + at));
        to[i] = here + weight * (there - here);
    }
}

// chroma[1] belongs to the tile's first pair of columns.
void chroma_between_columns(const float *__restrict chroma, float chroma_x, int n, float *__restrict to) {
    const float before = 0.5f * chroma_x, after = 0.5f * (1.0f - chroma_x);
    for (int i = 0; 2 * i < n; ++i) {
        to[2 * i] = chroma[i + 1] + before * (chroma[i] - chroma[i + 1]);
        to[2 * i + 1] = chroma[i + 1] + after * (chroma[i + 2] - chroma[i + 1]);
    }
}

inline void store(float value, std::uint8_t &to) {
    value = value > 0.0f ? value : 0.0f;
    to = static_cast<std::uint8_t>(static_cast<int>(value < 255.0f ? value + 0.5f : 255.5f));
}

inline void store(float value, float &to) { to = value; }

template <class Type, class Out>
void planes_to_rgb(const Picture &picture, const InverseMatrix &m, Out *rgb) {
    alignas(64) float luma[tile_width], chroma[2][tile_width], subsampled[tile_width + 16];
    const bool subsampled_columns = picture.log2_chroma_width == 1;
    for (int y = 0; y < picture.height; ++y)
        for (int x = 0; x < picture.width; x += tile_width) {
            const int n = picture.width - x < tile_width ? picture.width - x : tile_width;
            const char *row = picture.y + y * picture.y_stride;
            load_planar<Type>(row + x * static_cast<std::ptrdiff_t>(sizeof(typename Type::Stored)), n, luma);
            const char *const planes[2] = {picture.cb, picture.cr};
            for (int c = 0; c < 2; ++c) {
                if (subsampled_columns) {
                    chroma_between_rows<Type>(picture, planes[c], y, x / 2 - 1, (n + 1) / 2 + 2, subsampled);
                    chroma_between_columns(subsampled, picture.chroma_x, n, chroma[c]);
                } else {
                    chroma_between_rows<Type>(picture, planes[c], y, x, n, chroma[c]);
                }
            }
            Out *__restrict to = rgb + (static_cast<std::ptrdiff_t>(y) * picture.width + x) * 3;
            for (int i = 0; i < n; ++i)
                for (int c = 0; c < 3; ++c) {
                    const float *const weights = m.component[c];
                    store(weights[0] * luma[i] + weights[1] * chroma[0][i] + weights[2] * chroma[1][i] + weights[3],
                          to[3 * i + c]);
                }
        }
}

template <class Out>
void picture_to_rgb(const Picture &picture, const InverseMatrix &matrix, Out *rgb) {
    if (picture.bytes_per_sample == 1)
        planes_to_rgb<Uint8>(picture, matrix, rgb);
    else
        planes_to_rgb<Uint16>(picture, matrix, rgb);
}

// ---- linear light to a signal --------------------------------------------------------------------------------------

inline float value_at(const Curve &curve, float light) {
    constexpr int below = 23 - curve_log2_points, first = (127 + curve_lowest_exponent) << curve_log2_points;
    const float lowest = bit_cast<float>(first << below);
    light = light > lowest ? light : lowest;
    const std::int32_t bits = bit_cast<std::int32_t>(light);
    int piece = (bits >> below) - first;
    piece = piece < curve.count ? piece : curve.count - 1;
    const float part = static_cast<float>(bits & ((1 << below) - 1)) * (1.0f / (1 << below));
    return curve.pieces[2 * piece] + part * curve.pieces[2 * piece + 1];
}

TELECINE_LOOP void apply(const Curve &given, int n, const float *__restrict from, float *__restrict to) {
    const Curve curve = given;
    for (int x = 0; x < n; ++x) to[x] = value_at(curve, from[x]);
}

TELECINE_LOOP void multiply(int n, const float *__restrict factor, float *__restrict values) {
    for (int x = 0; x < n; ++x) values[x] *= factor[x];
}

TELECINE_LOOP void mix(int n, const float *__restrict alpha, float ground, float *__restrict values) {
    for (int x = 0; x < n; ++x) values[x] = ground + alpha[x] * (values[x] - ground);
}

// The sum of a tile's channels, each less `low` and by its weight.
TELECINE_LOOP void weighted(const Tile &tile, const float (&weights)[3], float low, int n, float *__restrict to) {
    const float *__restrict r = tile.channel[0], *__restrict g = tile.channel[1], *__restrict b = tile.channel[2];
    const float wr = weights[0], wg = weights[1], wb = weights[2];
    for (int x = 0; x < n; ++x) {
        const float sum = wr * (r[x] - low) + wg * (g[x] - low) + wb * (b[x] - low);
        to[x] = sum > 0.0f ? sum : 0.0f;
    }
}

TELECINE_LOOP void largest_channel(const Tile &tile, int n, float *__restrict to) {
    const float *__restrict r = tile.channel[0], *__restrict g = tile.channel[1], *__restrict b = tile.channel[2];
    for (int x = 0; x < n; ++x) {
        const float larger = r[x] > g[x] ? r[x] : g[x];
        to[x] = larger > b[x] ? larger : b[x];
    }
}

void load_tile(const Pixels &pixels, const char *from, int n, Tile &tile) {
    switch (pixels.sample) {
        case Sample::uint8: load_channels<Uint8>(pixels, from, n, tile); break;
        case Sample::uint16: load_channels<Uint16>(pixels, from, n, tile); break;
        case Sample::float16: load_channels<Float16>(pixels, from, n, tile); break;
        case Sample::bfloat16: load_channels<Bfloat16>(pixels, from, n, tile); break;
        case Sample::float32: load_channels<Float32>(pixels, from, n, tile); break;
        case Sample::float64: load_channels<Float64>(pixels, from, n, tile); break;
    }
    if (pixels.channels == 1)
        for (int c = 1; c < 3; ++c) __builtin_memcpy(tile.channel[c], tile.channel[0], n * sizeof(float));
}

// `to` is where the signal's first plane has this tile.
void tile_to_signal(const Pixels &pixels, const Grade &grade, int n, Tile &tile, float *to, Levels &levels) {
    alignas(64) float largest[tile_width], curved[tile_width], luminance[tile_width], factor[tile_width];
    Tile light, scene;
    for (int c = 0; c < 3; ++c) weighted(tile, grade.matrix[c], grade.low, n, light.channel[c]);
    if (pixels.channels == 4) {
        normalize_alpha(grade.low, grade.high, n, tile.channel[3]);
        levels.alpha = smallest_alpha(tile.channel[3], n, levels.alpha);
        for (int c = 0; c < 3; ++c) mix(n, tile.channel[3], grade.background[c], light.channel[c]);
    }
    largest_channel(light, n, largest);
    if (grade.level.count) apply(grade.level, n, largest, curved);
    float *const level = grade.level.count ? curved : largest;
    if (grade.luminance.count) {
        if (grade.scene.count)
            for (int c = 0; c < 3; ++c) apply(grade.scene, n, light.channel[c], scene.channel[c]);
        weighted(grade.scene.count ? scene : light, grade.weights, 0.0f, n, luminance);
        apply(grade.luminance, n, luminance, factor);
        if (grade.factor_of_level)
            multiply(n, factor, level);
        else
            for (int c = 0; c < 3; ++c) multiply(n, factor, light.channel[c]);
    }
    float sum = 0.0f;
    for (int x = 0; x < n; ++x) {
        const float shown = level[x] < grade.peak ? level[x] : grade.peak;
        levels.largest = levels.largest > shown ? levels.largest : shown;
        sum += shown;
    }
    levels.sum += sum;
    for (int c = 0; c < 3; ++c, to += static_cast<std::ptrdiff_t>(pixels.width) * pixels.height) {
        const float *signal = light.channel[c];
        if (grade.signal.count) apply(grade.signal, n, signal, to), signal = to;
        for (int x = 0; x < n; ++x) to[x] = signal[x] < 1.0f ? signal[x] : 1.0f;
    }
}

}  // namespace

Levels to_signal(const Pixels &pixels, const Grade &grade, float *signal) {
    Levels levels{0.0f, 0.0, 1.0f, 0.0f};
    std::int32_t deviation = 0;
    Tile tile;
    for (int y = 0; y < pixels.height; ++y)
        for (int x = 0; x < pixels.width; x += tile_width) {
            const int n = pixels.width - x < tile_width ? pixels.width - x : tile_width;
            load_tile(pixels, pixels.data + y * pixels.row_stride + x * pixels.column_stride, n, tile);
            for (int c = 0; c < pixels.channels; ++c)
                deviation = largest_deviation(reinterpret_cast<const char *>(tile.channel[c]), n, grade.low, grade.high,
                                              deviation);
            tile_to_signal(pixels, grade, n, tile, signal + static_cast<std::ptrdiff_t>(y) * pixels.width + x, levels);
        }
    levels.deviation = bit_cast<float>(deviation);
    return levels;
}

Statistics to_planes(const Pixels &pixels, const Matrix &matrix, const Planes &out) {
    const Source source = source_of(pixels, matrix, out.components == 4);
    if (out.bytes_per_sample == 2) return frame_to_planes<Rounded<std::uint16_t>>(source, out);
    if (out.thresholds != nullptr) return frame_to_planes<Dithered>(source, out);
    return frame_to_planes<Rounded<std::uint8_t>>(source, out);
}

void to_rgb(const Picture &picture, const InverseMatrix &matrix, std::uint8_t *rgb) {
    picture_to_rgb(picture, matrix, rgb);
}

void to_float_rgb(const Picture &picture, const InverseMatrix &matrix, float *rgb) {
    picture_to_rgb(picture, matrix, rgb);
}

}  // namespace TELECINE_ISA
}  // namespace telecine

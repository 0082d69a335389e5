// Linear light, or a signal that is PQ or HLG already, to that signal, with the levels that are met.

#include "tiles.h"

namespace telecine {
namespace TELECINE_ISA {
namespace {

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

TELECINE_LOOP void apply(const Curve &shared, int n, const float *__restrict from, float *__restrict to) {
    const Curve curve = shared;
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
        for (int c = 1; c < 3; ++c) std::memcpy(tile.channel[c], tile.channel[0], n * sizeof(float));
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

}  // namespace TELECINE_ISA
}  // namespace telecine

// Drives kernel_driver.cpp by chance where there is no libFuzzer. Arguments: seed, rounds. Prints how many rounds ran.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *input, std::size_t size);

int main(int, char **arguments) {
    std::mt19937_64 dice(std::strtoull(arguments[1], nullptr, 10));
    const long rounds = std::strtol(arguments[2], nullptr, 10);
    std::vector<std::uint8_t> input(4096);
    for (long round = 0; round < rounds; ++round) {
        for (std::uint8_t &each : input) each = static_cast<std::uint8_t>(dice());
        LLVMFuzzerTestOneInput(input.data(), input.size());
    }
    std::printf("%ld\n", rounds);
}

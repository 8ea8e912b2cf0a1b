// What the core asks of a microcontroller, and what it must know of the bench behind it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace board {

// What code 0 and code 65535 of a converter stand for, in the unit of the bench.
struct Span {
    double lower = 0.0;
    double upper = 1.0;
};

struct Limit {
    std::uint16_t lowest = 0;
    std::uint16_t highest = 0;
    std::uint16_t safe = 0;
};

struct Layer {
    std::uint16_t parameters = 0;
    std::uint16_t inputs = 0;
    std::uint16_t outputs = 0;
    std::uint16_t safe_input = 0;
    Span parameter, input, output;
    std::uint64_t power_ceiling = 0;  // of the sum of squared codes; 0: none
    std::uint32_t settle_us = 0;
    const Limit* limits = nullptr;  // one for each parameter
};

struct Layout {
    char serial[16] = {};
    const Layer* layers = nullptr;
    std::uint8_t layer_count = 0;
    std::uint8_t health_channels = 0;
    bool cascaded = false;
    std::uint16_t gap_ms = 50;
    std::uint16_t watchdog_ms = 1000;
};

// All of it returns at once; nothing here waits for the line.
class Hardware {
public:
    // Microseconds since power-up.
    virtual std::uint64_t now_us() = 0;
    // Moves all parameters of a layer. False: a converter did not do as told.
    virtual bool write(std::uint8_t layer, const std::uint16_t* codes) = 0;
    // Presents patterns[0 … count-1] one after the other and reads the outputs of each into counts, row by row. Returns
    // how many it has measured, at least one; 0: a converter did not do as told.
    virtual std::size_t measure(std::uint8_t layer, const std::uint16_t* const* patterns, std::size_t count,
                                std::uint16_t* counts) = 0;
    // Reads all outputs of a layer as everything stands; presents nothing. False: a converter did not do as told.
    virtual bool read(std::uint8_t layer, std::uint16_t* counts) = 0;
    // Everything to its safe code, inputs first; from any state. False: not everything may have got there.
    virtual bool park() = 0;
    // Thousandths of the unit of each health channel.
    virtual bool health(std::int32_t* values) = 0;
    // Takes up to count bytes that have come, or hands over up to count that shall go; returns how many.
    virtual std::size_t receive(std::uint8_t* bytes, std::size_t count) = 0;
    virtual std::size_t send(const std::uint8_t* bytes, std::size_t count) = 0;

protected:
    ~Hardware() = default;
};

}  // namespace board

// The memory of a board, laid out when it is compiled: nothing is ever allocated.
#pragma once

#include <cstddef>
#include <cstdint>

namespace board {

// Chunks of readings are small, so that a frame in between never waits long.
constexpr std::size_t readings_per_frame = 256;
constexpr std::size_t small_frames = 256;  // bytes of room for answers while readings are on their way

struct Memory {
    std::uint8_t* incoming;  // a frame
    std::uint8_t* request;   // the payload that is being carried out
    std::uint8_t* outgoing;
    std::size_t outgoing_size;
    std::size_t payload_max;
    std::uint16_t* patterns;
    std::size_t pattern_words;
    std::uint16_t* setpoints;
    std::size_t setpoint_words;
    std::uint16_t* readings;
    std::size_t readings_max;
};

template <std::size_t PayloadMax, std::size_t PatternWords, std::size_t SetpointWords, std::size_t ReadingsMax>
struct Storage {
    static_assert(PayloadMax >= 64 && PayloadMax <= 0xFFFF, "a length is 16 bits");
    static constexpr std::size_t largest = PayloadMax > 4 + 2 * readings_per_frame ? PayloadMax : 4 + 2 * readings_per_frame;

    std::uint8_t incoming[PayloadMax + 12] = {};
    std::uint8_t request[PayloadMax] = {};
    std::uint8_t outgoing[largest + 12 + small_frames] = {};
    std::uint16_t patterns[PatternWords] = {};
    std::uint16_t setpoints[SetpointWords] = {};
    std::uint16_t readings[ReadingsMax] = {};

    Memory memory() {
        return {incoming, request,   outgoing,      sizeof outgoing, PayloadMax, patterns,
                PatternWords, setpoints, SetpointWords, readings,        ReadingsMax};
    }
};

}  // namespace board

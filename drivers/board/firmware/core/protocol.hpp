// The numbers of docs/reference/board-protocol.md, version 1.
#pragma once

#include <cstddef>
#include <cstdint>

namespace board {

constexpr std::uint16_t protocol_version = 1;
constexpr std::uint16_t firmware_version = 0x0100;  // 1.0

constexpr std::uint8_t start_byte = 0xA5;
constexpr std::size_t header_size = 8;
constexpr std::size_t check_size = 4;
constexpr std::uint8_t reply_bit = 0x80;

enum class Type : std::uint8_t {
    hello = 0x01,
    limits = 0x02,
    stage = 0x03,
    write = 0x04,
    read = 0x05,
    probe = 0x06,
    setpoints = 0x07,
    health = 0x08,
    heartbeat = 0x09,
    park = 0x0A,
    log = 0x0B,
    event = 0xFE,
    error = 0xFF,
};

enum class Code : std::uint8_t {
    none = 0,
    bad_check = 1,
    too_long = 2,
    bad_length = 3,
    unknown = 4,
    version = 5,
    not_greeted = 6,
    watchdog = 7,
    no_layer = 8,
    out_of_limits = 9,
    power = 10,
    not_staged = 11,
    too_many = 12,
    sequence = 13,
    busy = 14,
    hardware = 15,
    aborted = 16,
};

enum class What : std::uint8_t {
    boot = 1,
    greeted = 2,
    armed = 3,
    parked = 4,
    watchdog_parked = 5,
    refused = 6,
    hardware_fault = 7,
};

// Why a request is not carried out; what does not apply is 0.
struct Refusal {
    Code code = Code::none;
    std::uint8_t layer = 0;
    std::uint16_t setting = 0;
    std::uint16_t place = 0;
    std::int32_t given = 0;
    std::int32_t lowest = 0;
    std::int32_t highest = 0;
};

inline Refusal wrong_length(std::size_t given, std::size_t needed) {
    return {Code::bad_length, 0, 0, 0, static_cast<std::int32_t>(given), static_cast<std::int32_t>(needed),
            static_cast<std::int32_t>(needed)};
}

}  // namespace board

// The frames of two converters on SPI, free of any vendor's header: what is sent and what comes back.
//
// AD5676: eight outputs of 16 bits; 24 bits a frame, command 0b0011 writes and updates one channel (data sheet, table 9).
// ADS8688: eight inputs of 16 bits; a frame of 32 clocks says which channel comes next and brings the one asked for before
// (data sheet, section 8.5.1); register 0x05 + n sets the range of channel n, 0x06 for 0 to 1.25 times the reference.
#pragma once

#include <cstddef>
#include <cstdint>

namespace converters {

struct Ad5676 {
    static constexpr std::size_t channels = 8;
    static constexpr std::size_t frame_size = 3;

    static void write_frame(std::uint8_t channel, std::uint16_t code, std::uint8_t* frame) {
        frame[0] = static_cast<std::uint8_t>(0x30 | (channel & 0x0F));
        frame[1] = static_cast<std::uint8_t>(code >> 8);
        frame[2] = static_cast<std::uint8_t>(code & 0xFF);
    }
};

struct Ads8688 {
    static constexpr std::size_t channels = 8;
    static constexpr std::size_t frame_size = 4;
    static constexpr std::uint8_t unipolar_5v12 = 0x06;

    static void select_frame(std::uint8_t channel, std::uint8_t* frame) {
        frame[0] = static_cast<std::uint8_t>(0xC0 | ((channel & 0x07) << 2));
        frame[1] = frame[2] = frame[3] = 0;
    }

    static std::uint16_t count(const std::uint8_t* frame) {
        return static_cast<std::uint16_t>((frame[2] << 8) | frame[3]);
    }

    static void range_frame(std::uint8_t channel, std::uint8_t range, std::uint8_t* frame) {
        frame[0] = static_cast<std::uint8_t>(((0x05 + channel) << 1) | 0x01);
        frame[1] = range;
        frame[2] = frame[3] = 0;
    }
};

}  // namespace converters

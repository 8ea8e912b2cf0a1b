// The two checks of a frame: CRC-16/CCITT-FALSE over the header, CRC-32 (IEEE 802.3) over the whole.
#pragma once

#include <cstddef>
#include <cstdint>

namespace board {

std::uint16_t crc16(const std::uint8_t* bytes, std::size_t count);
std::uint32_t crc32(const std::uint8_t* bytes, std::size_t count);

}  // namespace board

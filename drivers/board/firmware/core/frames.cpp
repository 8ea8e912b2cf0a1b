// What the board answers.
#include "board.hpp"
#include "bytes.hpp"
#include "checks.hpp"

namespace board {

bool Board::has_room(std::size_t length) const {
    return outgoing_held_ + header_size + length + check_size <= memory_.outgoing_size;
}

std::uint8_t* Board::open_frame() { return memory_.outgoing + outgoing_held_ + header_size; }

void Board::close_frame(std::uint8_t type, std::uint16_t sequence, std::size_t length) {
    std::uint8_t* frame = memory_.outgoing + outgoing_held_;
    frame[0] = start_byte;
    frame[1] = type;
    put16(frame + 2, sequence);
    put16(frame + 4, static_cast<std::uint16_t>(length));
    put16(frame + 6, crc16(frame, header_size - 2));
    outgoing_held_ += header_size + length;
    if (length > 0) {
        put32(frame + header_size + length, crc32(frame, header_size + length));
        outgoing_held_ += check_size;
    }
}

void Board::acknowledge(Type type, std::uint16_t sequence) {
    if (has_room(0)) {
        close_frame(static_cast<std::uint8_t>(type) | reply_bit, sequence, 0);
    }
}

void Board::refuse(std::uint8_t type, std::uint16_t sequence, const Refusal& refusal) {
    constexpr std::size_t length = 20;
    if (!has_room(length)) {
        return;  // somebody asks again and again without reading what is answered
    }
    std::uint8_t* to = open_frame();
    to[0] = static_cast<std::uint8_t>(refusal.code);
    to[1] = type;
    to[2] = refusal.layer;
    to[3] = 0;
    put16(to + 4, refusal.setting);
    put16(to + 6, refusal.place);
    put32(to + 8, static_cast<std::uint32_t>(refusal.given));
    put32(to + 12, static_cast<std::uint32_t>(refusal.lowest));
    put32(to + 16, static_cast<std::uint32_t>(refusal.highest));
    close_frame(static_cast<std::uint8_t>(Type::error), sequence, length);
}

void Board::tell(const std::uint8_t* entry) {
    if (has_room(Journal::entry_size)) {
        std::memcpy(open_frame(), entry, Journal::entry_size);
        close_frame(static_cast<std::uint8_t>(Type::event), 0, Journal::entry_size);
    }
}

}  // namespace board

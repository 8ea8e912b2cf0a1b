#include "board.hpp"

#include "bytes.hpp"

namespace board {

Board::Board(const Layout& layout, Memory memory, Hardware& hardware)
    : layout_(layout),
      memory_(memory),
      hardware_(hardware),
      receiver_(memory.incoming, memory.payload_max, layout.gap_ms * 1000U) {
    std::size_t words = 0;
    for (std::uint8_t number = 0; number < layout_.layer_count; ++number) {
        words += entrance(number) == number ? layer(number).inputs : 0U;
    }
    const std::size_t rows = words == 0 ? 0 : memory_.pattern_words / words;
    rows_max_ = rows > 0xFFFF ? 0xFFFF : rows;
}

bool Board::fits() const {
    std::size_t parameters = 0;
    bool each = layout_.layer_count >= 1 && layout_.layer_count <= most_layers;
    for (std::uint8_t number = 0; each && number < layout_.layer_count; ++number) {
        const Layer& own = layer(number);
        parameters += own.parameters;
        each = own.parameters > 0 && own.inputs > 0 && own.outputs > 0 && own.limits != nullptr &&
               6U + 2U * own.parameters <= memory_.payload_max && 4U + 2U * own.inputs <= memory_.payload_max &&
               own.outputs * rows_at_once <= memory_.readings_max &&
               own.settle_us < watchdog_us(layout_.watchdog_ms);
        for (std::uint16_t i = 0; each && i < own.parameters; ++i) {
            each = own.limits[i].lowest <= own.limits[i].safe && own.limits[i].safe <= own.limits[i].highest;
        }
    }
    return each && rows_max_ > 0 && parameters <= memory_.setpoint_words && layout_.gap_ms > 0 &&
           layout_.health_channels <= most_health_channels && 52U + 72U * layout_.layer_count <= memory_.payload_max;
}

void Board::power_up() {
    park(What::boot, firmware_version);
    tell(journal_.entry(journal_.next() - 1));
}

bool Board::poll() {
    bool busy = send();
    busy |= receive();
    busy |= step();
    return judge_silence() || busy;
}

bool Board::receive() {
    bool busy = false;
    if (pending_ == Receiver::Found::nothing) {
        const std::size_t count = hardware_.receive(receiver_.room(), receiver_.wanted());
        if (count > 0) {
            pending_ = receiver_.take(count, hardware_.now_us());
            busy = true;
        } else {
            receiver_.tick(hardware_.now_us());
        }
    }
    if (pending_ == Receiver::Found::nothing) {
        return busy;
    }
    const bool at_once =
        pending_ == Receiver::Found::frame && (receiver_.type() == Type::park || receiver_.type() == Type::hello);
    if (outgoing_held_ > 0 && !at_once) {
        return busy;
    }
    handle(pending_);
    pending_ = Receiver::Found::nothing;
    receiver_.let_go();
    return true;
}

bool Board::send() {
    if (outgoing_held_ == 0) {
        return false;
    }
    const std::size_t taken = hardware_.send(memory_.outgoing + outgoing_sent_, outgoing_held_ - outgoing_sent_);
    if (taken == 0) {
        return false;
    }
    outgoing_sent_ += taken;
    if (outgoing_sent_ == outgoing_held_) {
        outgoing_sent_ = outgoing_held_ = 0;
    }
    if (job_.active) {
        fed_us_ = hardware_.now_us();
    }
    return true;
}

bool Board::judge_silence() {
    if (!armed_ || hardware_.now_us() - fed_us_ < watchdog_us(layout_.watchdog_ms)) {
        return false;
    }
    ++watchdog_parks_;
    greeted_ = false;
    why_not_ = Code::watchdog;
    outgoing_sent_ = outgoing_held_ = 0;
    park(What::watchdog_parked, 0);
    tell(journal_.entry(journal_.next() - 1));
    return true;
}

// Everything to its safe code; the entry of the log is made when it is there.
bool Board::park(What what, std::int32_t value) {
    const bool done = hardware_.park();
    for (std::uint8_t number = 0; number < layout_.layer_count; ++number) {
        for (std::uint16_t i = 0; i < layer(number).parameters; ++i) {
            standing(number)[i] = layer(number).limits[i].safe;
        }
    }
    armed_ = !done;  // what may still be on is tried again by the watchdog
    job_.active = false;
    acted_.known = false;
    const std::uint64_t now_us = hardware_.now_us();
    journal_.note(now_us, what, 0, done ? 0 : 1,
                  what == What::watchdog_parked ? static_cast<std::int32_t>((now_us - fed_us_) / 1000) : value);
    fed_us_ = now_us;
    return done;
}

void Board::park_after_fault(Type during) {
    park(What::hardware_fault, static_cast<std::int32_t>(during));
}

std::uint16_t* Board::pattern(std::uint8_t number, std::size_t row) const {
    std::size_t first = 0;
    for (std::uint8_t before = 0; before < number; ++before) {
        first += rows_max_ * layer(before).inputs;
    }
    return memory_.patterns + first + row * layer(number).inputs;
}

std::uint16_t* Board::standing(std::uint8_t number) const {
    std::size_t first = 0;
    for (std::uint8_t before = 0; before < number; ++before) {
        first += layer(before).parameters;
    }
    return memory_.setpoints + first;
}

}  // namespace board

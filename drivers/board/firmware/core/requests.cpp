// What is asked for: greeting, telling, parking, and whom to leave the rest to.
#include "board.hpp"
#include "bytes.hpp"

namespace board {
void Board::handle(Receiver::Found found) {
    const auto type = static_cast<std::uint8_t>(receiver_.type());
    if (found == Receiver::Found::bad_check || found == Receiver::Found::too_long) {
        const Code code = found == Receiver::Found::bad_check ? Code::bad_check : Code::too_long;
        refuse(type, receiver_.sequence(),
               {code, 0, 0, 0, static_cast<std::int32_t>(receiver_.length()), 0,
                static_cast<std::int32_t>(memory_.payload_max)});
        return;
    }
    fed_us_ = hardware_.now_us();
    const Refusal refusal = carry_out(receiver_);
    if (refusal.code != Code::none) {
        journal_.note(fed_us_, What::refused, refusal.layer, refusal.place, static_cast<std::int32_t>(refusal.code));
        refuse(type, receiver_.sequence(), refusal);
    }
}

Refusal Board::carry_out(const Receiver& frame) {
    switch (frame.type()) {
        case Type::hello:
            return hello(frame);
        case Type::log:
            return log(frame);
        case Type::park: {
            if (frame.length() != 0) {
                return wrong_length(frame.length(), 0);
            }
            if (job_.active) {
                const std::uint16_t sequence = job_.sequence;
                const auto type = static_cast<std::uint8_t>(job_.type);
                abort();
                refuse(type, sequence, {Code::aborted});
            }
            if (!park(What::parked, 0)) {
                return {Code::hardware};
            }
            acknowledge(Type::park, frame.sequence());
            return {};
        }
        default:
            break;
    }
    if (!greeted_) {
        return {why_not_};
    }
    switch (frame.type()) {
        case Type::heartbeat:
            if (frame.length() != 0) {
                return wrong_length(frame.length(), 0);
            }
            acknowledge(Type::heartbeat, frame.sequence());
            return {};
        case Type::limits:
        case Type::stage:
        case Type::write:
        case Type::read:
        case Type::probe:
        case Type::setpoints:
        case Type::health:
            break;
        default:
            return {Code::unknown, 0, 0, 0, static_cast<std::int32_t>(frame.type())};
    }
    if (job_.active) {
        return {Code::busy};
    }
    switch (frame.type()) {
        case Type::limits:
            return limits(frame);
        case Type::setpoints:
            return setpoints(frame);
        case Type::health:
            return health(frame);
        default:
            break;
    }
    if (acted_.known && acted_.sequence == frame.sequence()) {
        return repeated(frame) ? Refusal{} : Refusal{Code::sequence, 0, 0, 0, frame.sequence()};
    }
    return frame.type() == Type::stage ? stage(frame) : begin(frame);
}

Refusal Board::hello(const Receiver& frame) {
    if (frame.length() != 8) {
        return wrong_length(frame.length(), 8);
    }
    const std::uint16_t version = get16(frame.payload());
    if (version != protocol_version) {
        return {Code::version, 0, 0, 0, version, protocol_version, protocol_version};
    }
    const std::size_t length = 52U + 72U * layout_.layer_count;
    if (!has_room(length)) {
        outgoing_held_ = outgoing_sent_ = 0;  // nobody has taken it, and the host begins anew
    }
    abort();
    const std::uint32_t nonce = get32(frame.payload() + 4);
    if (!greeted_ever_) {
        greeted_ever_ = true;
        first_nonce_ = nonce;
    }
    greeted_ = true;
    journal_.note(fed_us_, What::greeted, 0, 0, static_cast<std::int32_t>(nonce & 0xFFFF));

    std::uint8_t* to = open_frame();
    put16(to, protocol_version);
    put16(to + 2, firmware_version);
    put32(to + 4, nonce);
    put32(to + 8, first_nonce_);
    std::memcpy(to + 12, layout_.serial, sizeof layout_.serial);
    to[28] = layout_.layer_count;
    to[29] = static_cast<std::uint8_t>((layout_.cascaded ? 1 : 0) | (armed_ ? 2 : 0));
    to[30] = layout_.health_channels;
    to[31] = 0;
    put16(to + 32, static_cast<std::uint16_t>(rows_max_));
    put16(to + 34, static_cast<std::uint16_t>(memory_.payload_max));
    put32(to + 36, static_cast<std::uint32_t>(memory_.readings_max));
    put16(to + 40, layout_.gap_ms);
    put16(to + 42, layout_.watchdog_ms);
    put16(to + 44, watchdog_parks_);
    put16(to + 46, 0);
    put32(to + 48, receiver_.damaged());
    to += 52;
    for (std::uint8_t number = 0; number < layout_.layer_count; ++number, to += 72) {
        const Layer& own = layer(number);
        put16(to, own.parameters);
        put16(to + 2, own.inputs);
        put16(to + 4, own.outputs);
        put16(to + 6, own.safe_input);
        const Span spans[] = {own.parameter, own.input, own.output};
        for (std::size_t i = 0; i < 3; ++i) {
            put_double(to + 8 + 16 * i, spans[i].lower);
            put_double(to + 16 + 16 * i, spans[i].upper);
        }
        put64(to + 56, own.power_ceiling);
        put32(to + 64, own.settle_us);
        put32(to + 68, 0);
    }
    close_frame(static_cast<std::uint8_t>(Type::hello) | reply_bit, frame.sequence(), length);
    return {};
}

Refusal Board::limits(const Receiver& frame) {
    if (frame.length() != 6) {
        return wrong_length(frame.length(), 6);
    }
    const std::uint8_t number = frame.payload()[0];
    if (number >= layout_.layer_count) {
        return {Code::no_layer, number};
    }
    const std::uint16_t first = get16(frame.payload() + 2), count = get16(frame.payload() + 4);
    const std::uint16_t most = static_cast<std::uint16_t>(memory_.payload_max / 6);
    if (count == 0 || count > most || static_cast<std::uint32_t>(first) + count > layer(number).parameters) {
        return {Code::too_many, number, 0, first, count, 1, most};
    }
    std::uint8_t* to = open_frame();
    for (std::uint16_t i = 0; i < count; ++i) {
        const Limit& limit = layer(number).limits[first + i];
        put16(to + 6U * i, limit.lowest);
        put16(to + 6U * i + 2, limit.highest);
        put16(to + 6U * i + 4, limit.safe);
    }
    close_frame(static_cast<std::uint8_t>(Type::limits) | reply_bit, frame.sequence(), 6U * count);
    return {};
}

Refusal Board::setpoints(const Receiver& frame) {
    if (frame.length() != 2) {
        return wrong_length(frame.length(), 2);
    }
    const std::uint8_t number = frame.payload()[0];
    if (number >= layout_.layer_count) {
        return {Code::no_layer, number};
    }
    std::uint8_t* to = open_frame();
    const std::uint16_t count = layer(number).parameters;
    for (std::uint16_t i = 0; i < count; ++i) {
        put16(to + 2U * i, standing(number)[i]);
    }
    close_frame(static_cast<std::uint8_t>(Type::setpoints) | reply_bit, frame.sequence(), 2U * count);
    return {};
}

Refusal Board::health(const Receiver& frame) {
    if (frame.length() != 0) {
        return wrong_length(frame.length(), 0);
    }
    if (layout_.health_channels == 0) {
        acknowledge(Type::health, frame.sequence());
        return {};
    }
    std::int32_t values[most_health_channels] = {};
    if (!hardware_.health(values)) {
        return {Code::hardware};
    }
    std::uint8_t* to = open_frame();
    for (std::size_t i = 0; i < layout_.health_channels; ++i) {
        put32(to + 4 * i, static_cast<std::uint32_t>(values[i]));
    }
    close_frame(static_cast<std::uint8_t>(Type::health) | reply_bit, frame.sequence(), 4U * layout_.health_channels);
    return {};
}

Refusal Board::log(const Receiver& frame) {
    if (frame.length() != 4) {
        return wrong_length(frame.length(), 4);
    }
    const std::uint32_t asked = get32(frame.payload());
    const std::uint32_t first = asked < journal_.oldest() ? journal_.oldest() : asked;
    std::uint8_t* to = open_frame();
    put32(to, journal_.next());
    std::size_t length = 4;
    for (std::uint32_t number = first;
         number < journal_.next() && length + Journal::entry_size <= memory_.payload_max; ++number) {
        std::memcpy(to + length, journal_.entry(number), Journal::entry_size);
        length += Journal::entry_size;
    }
    close_frame(static_cast<std::uint8_t>(Type::log) | reply_bit, frame.sequence(), length);
    return {};
}

}  // namespace board

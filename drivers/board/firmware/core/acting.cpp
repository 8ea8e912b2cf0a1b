// What moves or stages something, and why it may be refused.
#include "board.hpp"
#include "bytes.hpp"

namespace board {
namespace {

// Sums of squares do not fit into 32 bits; they are told in units of 65536.
std::int32_t in_units(std::uint64_t squares) {
    const std::uint64_t units = (squares + 0xFFFF) >> 16;
    return units > 0x7FFFFFFF ? 0x7FFFFFFF : static_cast<std::int32_t>(units);
}

}  // namespace

// Answers once more what was carried out already; false where it was something else.
bool Board::repeated(const Receiver& frame) {
    if (acted_.check != frame.check() || acted_.type != frame.type()) {
        return false;
    }
    if (acted_.readings == 0) {
        acknowledge(acted_.type, acted_.sequence);
        return true;
    }
    job_ = Job{};
    job_.active = true;
    job_.type = acted_.type;
    job_.sequence = acted_.sequence;
    job_.check = acted_.check;
    job_.measured = job_.total = acted_.readings;
    return true;
}

Refusal Board::stage(const Receiver& frame) {
    if (frame.length() < 4) {
        return wrong_length(frame.length(), 4);
    }
    const std::uint8_t number = frame.payload()[0];
    if (number >= layout_.layer_count || entrance(number) != number) {
        return {Code::no_layer, number};
    }
    const bool anew = (frame.payload()[1] & 1) != 0;
    const std::uint16_t first = get16(frame.payload() + 2);
    const std::uint16_t held = anew ? 0 : staged_[number];
    const std::size_t bytes = frame.length() - 4, width = layer(number).inputs;
    const std::size_t count = bytes / (2 * width);
    if (count == 0 || count * 2 * width != bytes) {
        return wrong_length(frame.length(), 4 + 2 * width * (count == 0 ? 1 : count));
    }
    if (first > held) {
        return {Code::not_staged, number, 0, 0, first, 0, held};
    }
    if (first + count > rows_max_) {
        return {Code::too_many, number, 0, 0, static_cast<std::int32_t>(first + count), 1,
                static_cast<std::int32_t>(rows_max_)};
    }
    std::uint16_t* to = pattern(number, first);
    for (std::size_t i = 0; i < count * width; ++i) {
        to[i] = get16(frame.payload() + 4 + 2 * i);
    }
    staged_[number] = static_cast<std::uint16_t>(first + count > held ? first + count : held);
    acted_ = {true, Type::stage, frame.sequence(), frame.check(), 0};
    acknowledge(Type::stage, frame.sequence());
    return {};
}

Refusal Board::begin(const Receiver& frame) {
    if (frame.length() < 2) {
        return wrong_length(frame.length(), 2);
    }
    Job job;
    job.active = true;
    job.type = frame.type();
    job.sequence = frame.sequence();
    job.check = frame.check();
    job.layer = frame.payload()[0];
    if (job.layer >= layout_.layer_count) {
        return {Code::no_layer, job.layer};
    }
    const Refusal refusal = job.type == Type::write  ? begin_write(job, frame.payload(), frame.length())
                            : job.type == Type::read ? begin_read(job, frame.payload(), frame.length())
                                                     : begin_probe(job, frame.payload(), frame.length());
    if (refusal.code != Code::none) {
        return refusal;
    }
    if (!armed_ && !job.standing) {
        journal_.note(fed_us_, What::armed, job.layer, 0, 0);
    }
    std::memcpy(memory_.request, frame.payload(), frame.length());
    acted_.known = false;
    job_ = job;
    return {};
}

Refusal Board::begin_write(Job& job, const std::uint8_t* payload, std::size_t length) const {
    const std::size_t needed = 2U + 2U * layer(job.layer).parameters;
    if (length != needed) {
        return wrong_length(length, needed);
    }
    job.settings = 1;
    return check_setting(job.layer, 0, payload + 2);
}

Refusal Board::begin_read(Job& job, const std::uint8_t* payload, std::size_t length) const {
    if (length % 2 != 0) {
        return wrong_length(length, 4);
    }
    job.rows = static_cast<std::uint16_t>((length - 2) / 2);
    job.standing = job.rows == 0;
    job.total = (job.standing ? 1U : static_cast<std::size_t>(job.rows)) * layer(job.layer).outputs;
    if (job.total > memory_.readings_max) {
        return {Code::too_many, job.layer, 0, 0, static_cast<std::int32_t>(job.total), 1,
                static_cast<std::int32_t>(memory_.readings_max)};
    }
    return check_rows(job.layer, payload + 2, job.rows);
}

Refusal Board::begin_probe(Job& job, const std::uint8_t* payload, std::size_t length) const {
    if (length < 4) {
        return wrong_length(length, 4);
    }
    job.settings = get16(payload + 2);
    const std::size_t width = 2U * layer(job.layer).parameters;
    const std::size_t before = 4 + width * job.settings;
    if (job.settings == 0 || length < before + 2 || (length - before) % 2 != 0) {
        return wrong_length(length, before + 2);
    }
    job.rows = static_cast<std::uint16_t>((length - before) / 2);
    job.total = static_cast<std::size_t>(job.settings) * job.rows * layer(job.layer).outputs;
    if (job.total > memory_.readings_max) {
        return {Code::too_many, job.layer, 0, 0, static_cast<std::int32_t>(job.total), 1,
                static_cast<std::int32_t>(memory_.readings_max)};
    }
    for (std::uint16_t setting = 0; setting < job.settings; ++setting) {
        const Refusal refusal = check_setting(job.layer, setting, payload + 4 + width * setting);
        if (refusal.code != Code::none) {
            return refusal;
        }
    }
    return check_rows(job.layer, payload + before, job.rows);
}

Refusal Board::check_setting(std::uint8_t number, std::uint16_t setting, const std::uint8_t* codes) const {
    std::uint64_t squares = 0;
    for (std::uint16_t i = 0; i < layer(number).parameters; ++i) {
        const std::uint16_t code = get16(codes + 2U * i);
        const Limit& limit = layer(number).limits[i];
        if (code < limit.lowest || code > limit.highest) {
            return {Code::out_of_limits, number, setting, i, code, limit.lowest, limit.highest};
        }
        squares += static_cast<std::uint64_t>(code) * code;
    }
    const std::uint64_t ceiling = layer(number).power_ceiling;
    if (ceiling > 0 && squares > ceiling) {
        return {Code::power, number, setting, 0, in_units(squares), 0, in_units(ceiling)};
    }
    return {};
}

Refusal Board::check_rows(std::uint8_t number, const std::uint8_t* rows, std::size_t count) const {
    const std::uint16_t staged = staged_[entrance(number)];
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint16_t row = get16(rows + 2 * i);
        if (row >= staged) {
            return {Code::not_staged, number, 0, static_cast<std::uint16_t>(i), row, 0, staged};
        }
    }
    return {};
}

}  // namespace board

// Writing and measuring, one step after the other, so that the line and the watchdog are looked after meanwhile.
#include "board.hpp"
#include "bytes.hpp"

namespace board {

bool Board::step() {
    if (!job_.active) {
        return false;
    }
    const bool measured = measure_some();
    if (!job_.active) {
        return true;  // a converter failed
    }
    return report_some() || measured;
}

bool Board::measure_some() {
    const bool writes = job_.setting < job_.settings;
    if (job_.measured == job_.total && !writes) {
        return false;
    }
    const Layer& own = layer(job_.layer);
    if (writes && !job_.written) {
        const std::uint8_t* codes = memory_.request + (job_.type == Type::probe ? 4 : 2) +
                                    2U * own.parameters * static_cast<std::size_t>(job_.setting);
        for (std::uint16_t i = 0; i < own.parameters; ++i) {
            standing(job_.layer)[i] = get16(codes + 2U * i);
        }
        armed_ = true;
        if (!hardware_.write(job_.layer, standing(job_.layer))) {
            park_after_fault(job_.type);
            refuse(static_cast<std::uint8_t>(job_.type), job_.sequence, {Code::hardware, job_.layer, job_.setting});
            return true;
        }
        job_.written = true;
        job_.settled_us = hardware_.now_us() + own.settle_us;
    }
    const std::uint64_t now_us = hardware_.now_us();
    if (job_.written && now_us < job_.settled_us) {
        return false;
    }
    fed_us_ = now_us;
    if (job_.row < job_.rows) {
        const std::uint8_t* rows = memory_.request + (job_.type == Type::probe ? 4 : 2) +
                                   2U * own.parameters * static_cast<std::size_t>(job_.settings);
        const std::uint16_t* patterns[rows_at_once] = {};
        const std::size_t left = job_.rows - static_cast<std::size_t>(job_.row);
        const std::size_t count = left < rows_at_once ? left : rows_at_once;
        for (std::size_t i = 0; i < count; ++i) {
            patterns[i] = pattern(entrance(job_.layer), get16(rows + 2U * (job_.row + i)));
        }
        armed_ = true;
        const std::size_t done =
            hardware_.measure(job_.layer, patterns, count, memory_.readings + job_.measured);
        if (done == 0 || done > count) {
            park_after_fault(job_.type);
            refuse(static_cast<std::uint8_t>(job_.type), job_.sequence, {Code::hardware, job_.layer, job_.setting});
            return true;
        }
        job_.row = static_cast<std::uint16_t>(job_.row + done);
        job_.measured += done * own.outputs;
        fed_us_ = hardware_.now_us();
    } else if (job_.standing) {
        if (!hardware_.read(job_.layer, memory_.readings)) {
            park_after_fault(job_.type);
            refuse(static_cast<std::uint8_t>(job_.type), job_.sequence, {Code::hardware, job_.layer});
            return true;
        }
        job_.measured = own.outputs;
    }
    if (job_.row == job_.rows) {
        job_.written = false;
        job_.row = 0;
        ++job_.setting;
    }
    return true;
}

// Readings go out in frames that are full, and the rest at the end; the next one waits until the line took the last.
bool Board::report_some() {
    if (outgoing_held_ > 0) {
        return false;
    }
    const bool all = job_.measured == job_.total && job_.setting >= job_.settings;
    const std::size_t ready = job_.measured - job_.sent;
    if (ready >= readings_per_frame || (all && ready > 0)) {
        const std::size_t count = ready < readings_per_frame ? ready : readings_per_frame;
        std::uint8_t* to = open_frame();
        put32(to, static_cast<std::uint32_t>(job_.sent));
        for (std::size_t i = 0; i < count; ++i) {
            put16(to + 4 + 2 * i, memory_.readings[job_.sent + i]);
        }
        job_.sent += count;
        close_frame(static_cast<std::uint8_t>(job_.type) | reply_bit, job_.sequence, 4 + 2 * count);
        if (job_.sent == job_.total && all) {
            finish();
        }
        return true;
    }
    if (all && ready == 0) {
        acknowledge(job_.type, job_.sequence);
        finish();
        return true;
    }
    return false;
}

void Board::finish() {
    acted_ = {true, job_.type, job_.sequence, job_.check, job_.total};
    job_.active = false;
    fed_us_ = hardware_.now_us();
}

// What was measured to its end is kept for a repetition.
void Board::abort() {
    if (!job_.active) {
        return;
    }
    if (job_.total > 0 && job_.measured == job_.total) {
        finish();
    } else {
        acted_.known = false;
    }
    job_.active = false;
}

}  // namespace board

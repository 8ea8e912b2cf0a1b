// The board: frames in, converters moved, frames out. Call poll() for ever; it never waits.
#pragma once

#include "hardware.hpp"
#include "journal.hpp"
#include "memory.hpp"
#include "protocol.hpp"
#include "receiver.hpp"

namespace board {

constexpr std::uint8_t most_layers = 8;
constexpr std::size_t most_health_channels = 32;
constexpr std::size_t rows_at_once = 16;
// The watchdog acts when seven eighths of its time are over: looking at the clock and parking take time as well.
constexpr std::uint64_t watchdog_us(std::uint16_t watchdog_ms) { return watchdog_ms * 875ULL; }

class Board {
public:
    Board(const Layout& layout, Memory memory, Hardware& hardware);

    // Whether the layout can be served with this memory; a board that cannot must not be started.
    bool fits() const;
    // Brings everything to its safe code and says that the board is there.
    void power_up();
    // One round: some bytes out, some in, one request or one step of it. Returns whether there was something to do.
    bool poll();

private:
    struct Job {
        bool active = false;
        Type type = Type::write;
        std::uint16_t sequence = 0;
        std::uint32_t check = 0;
        std::uint8_t layer = 0;
        std::uint16_t settings = 0;  // to be written; 0: measured as it stands
        std::uint16_t rows = 0;
        std::uint16_t setting = 0;  // the present one
        std::uint16_t row = 0;
        bool written = false;
        bool standing = false;  // one reading of everything as it is
        std::uint64_t settled_us = 0;
        std::size_t measured = 0;
        std::size_t sent = 0;
        std::size_t total = 0;
    };
    struct Acted {
        bool known = false;
        Type type = Type::write;
        std::uint16_t sequence = 0;
        std::uint32_t check = 0;
        std::size_t readings = 0;
    };

    // board.cpp: the round
    bool receive();
    bool send();
    bool judge_silence();
    bool park(What what, std::int32_t value);
    void park_after_fault(Type during);

    // requests.cpp: what is asked for
    void handle(Receiver::Found found);
    Refusal carry_out(const Receiver& frame);
    Refusal hello(const Receiver& frame);
    Refusal limits(const Receiver& frame);
    Refusal setpoints(const Receiver& frame);
    Refusal health(const Receiver& frame);
    Refusal log(const Receiver& frame);

    // acting.cpp: what moves or stages something
    Refusal stage(const Receiver& frame);
    Refusal begin(const Receiver& frame);
    Refusal begin_write(Job& job, const std::uint8_t* payload, std::size_t length) const;
    Refusal begin_read(Job& job, const std::uint8_t* payload, std::size_t length) const;
    Refusal begin_probe(Job& job, const std::uint8_t* payload, std::size_t length) const;
    Refusal check_setting(std::uint8_t layer, std::uint16_t setting, const std::uint8_t* codes) const;
    Refusal check_rows(std::uint8_t layer, const std::uint8_t* rows, std::size_t count) const;
    bool repeated(const Receiver& frame);

    // job.cpp: writing and measuring, step by step
    bool step();
    bool measure_some();
    bool report_some();
    void finish();
    void abort();

    // frames.cpp: what is answered
    bool has_room(std::size_t length) const;
    std::uint8_t* open_frame();
    void close_frame(std::uint8_t type, std::uint16_t sequence, std::size_t length);
    void acknowledge(Type type, std::uint16_t sequence);
    void refuse(std::uint8_t type, std::uint16_t sequence, const Refusal& refusal);
    void tell(const std::uint8_t* entry);

    std::uint8_t entrance(std::uint8_t layer) const { return layout_.cascaded ? 0 : layer; }
    std::uint16_t* pattern(std::uint8_t layer, std::size_t row) const;
    std::uint16_t* standing(std::uint8_t layer) const;
    const Layer& layer(std::uint8_t number) const { return layout_.layers[number]; }

    Layout layout_;
    Memory memory_;
    Hardware& hardware_;
    Receiver receiver_;
    Journal journal_;
    Receiver::Found pending_ = Receiver::Found::nothing;
    Job job_;
    Acted acted_;
    std::size_t rows_max_ = 0;
    std::uint16_t staged_[most_layers] = {};
    std::size_t outgoing_held_ = 0;
    std::size_t outgoing_sent_ = 0;
    bool armed_ = false;
    bool greeted_ = false;
    Code why_not_ = Code::not_greeted;
    bool greeted_ever_ = false;
    std::uint32_t first_nonce_ = 0;
    std::uint16_t watchdog_parks_ = 0;
    std::uint64_t fed_us_ = 0;
};

}  // namespace board

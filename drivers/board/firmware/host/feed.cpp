// Judge of damaged frames: reads records from standard input (u32 length, then bytes), gives each to a greeted board whose
// line was silent before, and writes three bytes for each: setpoints written, rows measured, requests granted. A setpoint
// out of limits ends it with exit code 3.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "../core/board.hpp"
#include "../core/bytes.hpp"
#include "../core/checks.hpp"

namespace {

constexpr std::uint16_t lowest = 100, highest = 60000, safe = 100;
constexpr std::uint16_t parameters = 5, inputs = 3, outputs = 4;

using Memory = board::Storage<512, 4096, 64, 1024>;

class Counted final : public board::Hardware {
public:
    std::uint64_t clock_us = 0;
    unsigned writes = 0, rows = 0, granted = 0;
    const std::uint8_t* next = nullptr;
    const std::uint8_t* end = nullptr;
    std::size_t most_at_once = 1;

    std::uint64_t now_us() override { return ++clock_us; }
    bool write(std::uint8_t, const std::uint16_t* codes) override {
        ++writes;
        if (!std::all_of(codes, codes + parameters, [](std::uint16_t code) { return code >= lowest && code <= highest; })) {
            std::fprintf(stderr, "a setpoint out of limits was written\n");
            std::exit(3);
        }
        return true;
    }
    std::size_t measure(std::uint8_t, const std::uint16_t* const* patterns, std::size_t count,
                        std::uint16_t* counts) override {
        for (std::size_t i = 0; i < count; ++i) {
            for (std::size_t j = 0; j < outputs; ++j) {
                counts[i * outputs + j] = patterns[i][j % inputs];
            }
        }
        rows += static_cast<unsigned>(count);
        return count;
    }
    bool read(std::uint8_t, std::uint16_t* counts) override {
        std::fill(counts, counts + outputs, std::uint16_t{1});
        ++rows;
        return true;
    }
    bool park() override { return true; }
    bool health(std::int32_t* values) override {
        values[0] = 25'000;
        return true;
    }
    std::size_t receive(std::uint8_t* bytes, std::size_t count) override {
        const std::size_t given = std::min({count, static_cast<std::size_t>(end - next), most_at_once});
        std::copy(next, next + given, bytes);
        next += given;
        return given;
    }
    std::size_t send(const std::uint8_t* bytes, std::size_t count) override {
        for (std::size_t at = 0; at + board::header_size <= count;) {
            const std::uint8_t type = bytes[at + 1];
            granted += type < static_cast<std::uint8_t>(board::Type::event) ? 1U : 0U;
            const std::size_t length = board::get16(bytes + at + 4);
            at += board::header_size + (length > 0 ? length + board::check_size : 0);
        }
        return count;
    }
};

void greet(Counted& hardware, board::Board& board) {
    std::uint8_t hello[20] = {board::start_byte, static_cast<std::uint8_t>(board::Type::hello)};
    board::put16(hello + 2, 0xFFFF);
    board::put16(hello + 4, 8);
    board::put16(hello + 6, board::crc16(hello, 6));
    board::put16(hello + 8, board::protocol_version);
    board::put32(hello + 16, board::crc32(hello, 16));
    hardware.next = hello;
    hardware.end = hello + sizeof hello;
    hardware.most_at_once = sizeof hello;
    while (board.poll()) {
    }
}

}  // namespace

int main() {
    board::Limit limits[parameters];
    std::fill(limits, limits + parameters, board::Limit{lowest, highest, safe});
    board::Layer layers[2];
    for (board::Layer& layer : layers) {
        layer.parameters = parameters;
        layer.inputs = inputs;
        layer.outputs = outputs;
        layer.limits = limits;
    }
    board::Layout layout;
    layout.layers = layers;
    layout.layer_count = 2;
    layout.health_channels = 1;
    const auto storage = std::make_unique<Memory>();
    Counted hardware;
    board::Board board(layout, storage->memory(), hardware);
    if (!board.fits()) {
        return 2;
    }
    board.power_up();
    std::vector<std::uint8_t> record;
    std::uint8_t head[4];
    std::size_t number = 0;
    while (std::fread(head, 1, sizeof head, stdin) == sizeof head) {
        record.resize(board::get32(head));
        if (std::fread(record.data(), 1, record.size(), stdin) != record.size()) {
            return 2;
        }
        hardware.clock_us += layout.gap_ms * 1000ULL + 1;
        board.poll();
        greet(hardware, board);
        hardware.writes = hardware.rows = hardware.granted = 0;
        hardware.next = record.data();
        hardware.end = hardware.next + record.size();
        hardware.most_at_once = number % 3 == 0 ? 1 : number % 3 == 1 ? 7 : 4096;
        while (board.poll()) {
        }
        const unsigned counts[] = {hardware.writes, hardware.rows, hardware.granted};
        for (const unsigned count : counts) {
            std::putchar(static_cast<int>(std::min(count, 255U)));
        }
        ++number;
    }
    return 0;
}

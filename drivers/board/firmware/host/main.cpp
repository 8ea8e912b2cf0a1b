// The firmware on a pseudo-terminal: board-host SOCKET BAUD prints the path of the line and serves until the bench behind
// the inherited socket is gone. SIGUSR1 is a power cut.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <memory>

#include <poll.h>

#include "../core/board.hpp"
#include "line.hpp"
#include "plant.hpp"

namespace {

using Memory = board::Storage<8192, 65536, 4096, 16384>;

volatile std::sig_atomic_t power_cut = 0;

class Simulated final : public board::Hardware {
public:
    Simulated(host::Plant& plant, host::Line& line) : plant_(plant), line_(line) {}

    void power_up() { began_us_ = host::now_us(); }
    std::uint64_t now_us() override { return host::now_us() - began_us_; }
    bool write(std::uint8_t layer, const std::uint16_t* codes) override { return plant_.write(layer, codes); }
    std::size_t measure(std::uint8_t layer, const std::uint16_t* const* patterns, std::size_t count,
                        std::uint16_t* counts) override {
        return plant_.measure(layer, patterns, count, counts) ? count : 0;
    }
    bool read(std::uint8_t layer, std::uint16_t* counts) override { return plant_.read(layer, counts); }
    bool park() override { return plant_.park(); }
    bool health(std::int32_t* values) override { return plant_.health(values); }
    std::size_t receive(std::uint8_t* bytes, std::size_t count) override { return line_.receive(bytes, count); }
    std::size_t send(const std::uint8_t* bytes, std::size_t count) override { return line_.send(bytes, count); }

private:
    host::Plant& plant_;
    host::Line& line_;
    std::uint64_t began_us_ = 0;
};

// One life of the board, from power-up to the next power cut; false when the bench is gone.
bool live(host::Plant& plant, host::Line& line, Simulated& hardware) {
    const auto storage = std::make_unique<Memory>();
    hardware.power_up();
    board::Board board(plant.layout(), storage->memory(), hardware);
    if (!board.fits()) {
        throw std::runtime_error("the bench does not fit into the memory of this board");
    }
    board.power_up();
    int idle = 0;
    while (power_cut == 0) {
        idle = board.poll() ? 0 : idle + 1;
        if (idle < 3) {
            continue;
        }
        pollfd watched[] = {{line.descriptor(), POLLIN, 0}, {plant.socket(), POLLIN, 0}};
        const timespec wait = {0, idle < 40 ? 50'000 : 1'000'000};
        if (idle < 40) {
            watched[0].events = 0;  // bytes may be waiting that have not come over the line yet
        }
        if (ppoll(watched, 2, &wait, nullptr) > 0 && watched[1].revents != 0) {
            return false;  // it never speaks unasked: its end is all that can come
        }
    }
    power_cut = 0;
    return true;
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 3) {
        std::fprintf(stderr, "usage: board-host SOCKET BAUD\n");
        return 2;
    }
    struct sigaction cut {};
    cut.sa_handler = [](int) { power_cut = 1; };
    sigaction(SIGUSR1, &cut, nullptr);
    try {
        host::Plant plant(std::atoi(arguments[1]));
        host::Line line(static_cast<std::uint32_t>(std::atol(arguments[2])));
        std::printf("%s\n", line.path().c_str());
        std::fflush(stdout);
        Simulated hardware(plant, line);
        while (live(plant, line, hardware)) {
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "board-host: %s\n", error.what());
        return 1;
    }
    return 0;
}

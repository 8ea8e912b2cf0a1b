// The bench behind the host build: another process that holds a twin, asked over a socket.
#pragma once

#include <cstdint>
#include <vector>

#include "../core/hardware.hpp"

namespace host {

// Host builds may allocate; the core they run does not. Throws std::runtime_error when the other side is gone.
class Plant {
public:
    explicit Plant(int socket);

    const board::Layout& layout() const { return layout_; }
    int socket() const { return socket_; }
    bool write(std::uint8_t layer, const std::uint16_t* codes);
    bool measure(std::uint8_t layer, const std::uint16_t* const* patterns, std::size_t count, std::uint16_t* counts);
    bool read(std::uint8_t layer, std::uint16_t* counts);
    bool park();
    bool health(std::int32_t* values);

private:
    bool ask(char what, std::uint8_t layer, std::size_t count, const std::uint16_t* words, std::size_t n_words);
    void take(void* to, std::size_t bytes);
    void give(const void* from, std::size_t bytes);

    int socket_;
    board::Layout layout_;
    std::vector<board::Layer> layers_;
    std::vector<std::vector<board::Limit>> limits_;
    std::vector<std::uint16_t> words_;
};

}  // namespace host

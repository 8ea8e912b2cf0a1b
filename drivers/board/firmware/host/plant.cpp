#include "plant.hpp"

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include <sys/socket.h>
#include <unistd.h>

#include "../core/bytes.hpp"

namespace host {
namespace {

double get_double(const std::uint8_t* from) {
    double value = 0.0;
    std::memcpy(&value, from, sizeof value);  // the host is little-endian as well
    return value;
}

}  // namespace

Plant::Plant(int socket) : socket_(socket) {
    std::uint8_t head[24] = {};
    take(head, sizeof head);
    std::memcpy(layout_.serial, head, sizeof layout_.serial);
    layout_.layer_count = head[16];
    layout_.cascaded = head[17] != 0;
    layout_.health_channels = head[18];
    layout_.gap_ms = board::get16(head + 20);
    layout_.watchdog_ms = board::get16(head + 22);
    for (std::uint8_t number = 0; number < layout_.layer_count; ++number) {
        std::uint8_t block[72] = {};
        take(block, sizeof block);
        board::Layer layer;
        layer.parameters = board::get16(block);
        layer.inputs = board::get16(block + 2);
        layer.outputs = board::get16(block + 4);
        layer.safe_input = board::get16(block + 6);
        board::Span* spans[] = {&layer.parameter, &layer.input, &layer.output};
        for (std::size_t i = 0; i < 3; ++i) {
            spans[i]->lower = get_double(block + 8 + 16 * i);
            spans[i]->upper = get_double(block + 16 + 16 * i);
        }
        layer.power_ceiling = board::get32(block + 56) | (static_cast<std::uint64_t>(board::get32(block + 60)) << 32);
        layer.settle_us = board::get32(block + 64);
        std::vector<std::uint8_t> bytes(6U * layer.parameters);
        take(bytes.data(), bytes.size());
        std::vector<board::Limit> limits(layer.parameters);
        for (std::size_t i = 0; i < limits.size(); ++i) {
            limits[i] = {board::get16(&bytes[6 * i]), board::get16(&bytes[6 * i + 2]), board::get16(&bytes[6 * i + 4])};
        }
        layers_.push_back(layer);
        limits_.push_back(std::move(limits));
    }
    for (std::size_t number = 0; number < layers_.size(); ++number) {
        layers_[number].limits = limits_[number].data();
    }
    layout_.layers = layers_.data();
}

bool Plant::write(std::uint8_t layer, const std::uint16_t* codes) {
    const std::size_t count = layers_[layer].parameters;
    return ask('W', layer, count, codes, count);
}

bool Plant::measure(std::uint8_t layer, const std::uint16_t* const* patterns, std::size_t count,
                    std::uint16_t* counts) {
    const std::size_t width = layers_[layout_.cascaded ? 0 : layer].inputs;
    words_.clear();
    for (std::size_t i = 0; i < count; ++i) {
        words_.insert(words_.end(), patterns[i], patterns[i] + width);
    }
    if (!ask('M', layer, count, words_.data(), words_.size())) {
        return false;
    }
    take(counts, 2U * count * layers_[layer].outputs);
    return true;
}

bool Plant::read(std::uint8_t layer, std::uint16_t* counts) {
    if (!ask('R', layer, 0, nullptr, 0)) {
        return false;
    }
    take(counts, 2U * layers_[layer].outputs);
    return true;
}

bool Plant::park() { return ask('P', 0, 0, nullptr, 0); }

bool Plant::health(std::int32_t* values) {
    if (!ask('H', 0, 0, nullptr, 0)) {
        return false;
    }
    take(values, 4U * layout_.health_channels);
    return true;
}

bool Plant::ask(char what, std::uint8_t layer, std::size_t count, const std::uint16_t* words, std::size_t n_words) {
    std::uint8_t head[4] = {static_cast<std::uint8_t>(what), layer};
    board::put16(head + 2, static_cast<std::uint16_t>(count));
    give(head, sizeof head);
    if (n_words > 0) {
        give(words, 2 * n_words);
    }
    std::uint8_t done = 0;
    take(&done, 1);
    return done == 1;
}

void Plant::take(void* to, std::size_t bytes) {
    auto* place = static_cast<std::uint8_t*>(to);
    while (bytes > 0) {
        const ssize_t count = ::recv(socket_, place, bytes, 0);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            throw std::runtime_error("the bench is gone");
        }
        place += count;
        bytes -= static_cast<std::size_t>(count);
    }
}

void Plant::give(const void* from, std::size_t bytes) {
    const auto* place = static_cast<const std::uint8_t*>(from);
    while (bytes > 0) {
        const ssize_t count = ::send(socket_, place, bytes, MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            throw std::runtime_error("the bench is gone");
        }
        place += count;
        bytes -= static_cast<std::size_t>(count);
    }
}

}  // namespace host

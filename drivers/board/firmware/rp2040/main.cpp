// The board on an RP2040: one AD5676 for eight parameters, one for four inputs, one ADS8688 for four outputs, the line on
// UART 0. Everything that depends on your bench stands in the first block. Not tested here: see the README.
#if __has_include("pico/stdlib.h")

#include <initializer_list>

#include "../core/board.hpp"
#include "converters.hpp"
#include "hardware/spi.h"
#include "hardware/uart.h"
#include "hardware/watchdog.h"
#include "pico/stdlib.h"

namespace {

// --- the bench -----------------------------------------------------------------------------------------------------
constexpr std::uint16_t parameters = 8, inputs = 4, outputs = 4;
constexpr std::uint16_t highest = 52'428;  // 4 V of 5 V
constexpr board::Limit limit = {0, highest, 0};
constexpr board::Limit limits[parameters] = {limit, limit, limit, limit, limit, limit, limit, limit};
constexpr std::uint32_t settle_us = 200;
constexpr std::uint32_t input_settle_us = 5;
constexpr board::Layer layers[] = {
    {parameters, inputs, outputs, 0, {0.0, 5.0}, {0.0, 1.0}, {0.0, 5.12}, 0, settle_us, limits},
};
constexpr board::Layout layout = {"PICO-0001", layers, 1, 1, false, 50, 1000};
constexpr std::uint32_t baud = 2'000'000, spi_hz = 10'000'000;
constexpr unsigned tx_pin = 0, rx_pin = 1, miso_pin = 16, sck_pin = 18, mosi_pin = 19;
constexpr unsigned parameter_select = 17, input_select = 20, output_select = 21;
constexpr std::uint32_t hang_ms = 500;  // a firmware that hangs is restarted by the chip, and power-up parks
// --------------------------------------------------------------------------------------------------------------------

constexpr bool parks_within_limits() {
    for (const board::Limit& one : limits) {
        if (one.safe < one.lowest || one.safe > one.highest) {
            return false;
        }
    }
    return true;
}
static_assert(parks_within_limits(), "a safe code is out of its limits: the chip would be parked where it must not be");

board::Storage<8192, 32768, parameters, 16384> storage;

void transfer(unsigned select, const std::uint8_t* out, std::uint8_t* in, std::size_t count) {
    gpio_put(select, false);
    spi_write_read_blocking(spi0, out, in, count);
    gpio_put(select, true);
}

void drive(unsigned select, std::uint8_t channel, std::uint16_t code) {
    std::uint8_t out[converters::Ad5676::frame_size], in[converters::Ad5676::frame_size];
    converters::Ad5676::write_frame(channel, code, out);
    transfer(select, out, in, sizeof out);
}

std::uint16_t exchange(std::uint8_t next_channel) {
    std::uint8_t out[converters::Ads8688::frame_size], in[converters::Ads8688::frame_size];
    converters::Ads8688::select_frame(next_channel, out);
    transfer(output_select, out, in, sizeof out);
    return converters::Ads8688::count(in);
}

class Pico final : public board::Hardware {
public:
    std::uint64_t now_us() override { return time_us_64(); }

    bool write(std::uint8_t, const std::uint16_t* codes) override {
        for (std::uint8_t channel = 0; channel < parameters; ++channel) {
            drive(parameter_select, channel, codes[channel]);
        }
        return true;  // the AD5676 cannot tell
    }

    std::size_t measure(std::uint8_t, const std::uint16_t* const* patterns, std::size_t, std::uint16_t* counts) override {
        for (std::uint8_t channel = 0; channel < inputs; ++channel) {
            drive(input_select, channel, patterns[0][channel]);
        }
        busy_wait_us_32(input_settle_us);
        read(0, counts);
        return 1;  // one at a time, so that the line is looked after in between
    }

    bool read(std::uint8_t, std::uint16_t* counts) override {
        exchange(0);
        for (std::uint8_t channel = 0; channel < outputs; ++channel) {
            counts[channel] = exchange(static_cast<std::uint8_t>((channel + 1) % outputs));
        }
        return true;
    }

    bool park() override {
        for (std::uint8_t channel = 0; channel < inputs; ++channel) {
            drive(input_select, channel, layers[0].safe_input);
        }
        for (std::uint8_t channel = 0; channel < parameters; ++channel) {
            drive(parameter_select, channel, limits[channel].safe);
        }
        return true;
    }

    bool health(std::int32_t* values) override {
        values[0] = static_cast<std::int32_t>(time_us_64() / 1'000'000) * 1000;  // seconds since power-up
        return true;
    }

    std::size_t receive(std::uint8_t* bytes, std::size_t count) override {
        std::size_t taken = 0;
        while (taken < count && uart_is_readable(uart0)) {
            bytes[taken++] = static_cast<std::uint8_t>(uart_get_hw(uart0)->dr);
        }
        return taken;
    }

    std::size_t send(const std::uint8_t* bytes, std::size_t count) override {
        std::size_t given = 0;
        while (given < count && uart_is_writable(uart0)) {
            uart_get_hw(uart0)->dr = bytes[given++];
        }
        return given;
    }
};

void set_up() {
    uart_init(uart0, baud);
    gpio_set_function(tx_pin, GPIO_FUNC_UART);
    gpio_set_function(rx_pin, GPIO_FUNC_UART);
    spi_init(spi0, spi_hz);
    spi_set_format(spi0, 8, SPI_CPOL_0, SPI_CPHA_1, SPI_MSB_FIRST);
    for (const unsigned pin : {miso_pin, sck_pin, mosi_pin}) {
        gpio_set_function(pin, GPIO_FUNC_SPI);
    }
    for (const unsigned pin : {parameter_select, input_select, output_select}) {
        gpio_init(pin);
        gpio_put(pin, true);
        gpio_set_dir(pin, GPIO_OUT);
    }
    for (std::uint8_t channel = 0; channel < outputs; ++channel) {
        std::uint8_t out[converters::Ads8688::frame_size], in[converters::Ads8688::frame_size];
        converters::Ads8688::range_frame(channel, converters::Ads8688::unipolar_5v12, out);
        transfer(output_select, out, in, sizeof out);
    }
}

}  // namespace

int main() {
    set_up();
    static Pico pico;
    static board::Board board(layout, storage.memory(), pico);
    pico.park();
    if (!board.fits()) {
        while (true) {
            tight_loop_contents();  // parked, and silent: the layout above does not fit into the memory
        }
    }
    board.power_up();
    watchdog_enable(hang_ms, true);
    while (true) {
        board.poll();
        watchdog_update();
    }
}

#endif

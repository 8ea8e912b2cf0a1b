"""The firmware's sources: they fit the chip's SDK as far as can be seen without it; the core is free of it."""

import re
import subprocess
from pathlib import Path

import pytest

from drivers.emulator.board_firmware import SOURCES, compiler

DECLARED = {
    "pico/stdlib.h": """
        #include <cstdint>
        typedef unsigned uint;
        constexpr int GPIO_OUT = 1;
        enum gpio_function_t { GPIO_FUNC_SPI = 1, GPIO_FUNC_UART = 2 };
        void gpio_init(uint); void gpio_put(uint, bool); void gpio_set_dir(uint, bool);
        void gpio_set_function(uint, gpio_function_t);
        uint64_t time_us_64(); void busy_wait_us_32(uint32_t); void tight_loop_contents();
    """,
    "hardware/spi.h": """
        #include <cstddef>
        #include <cstdint>
        struct spi_inst_t; extern spi_inst_t* spi0;
        enum spi_cpol_t { SPI_CPOL_0 }; enum spi_cpha_t { SPI_CPHA_1 = 1 }; enum spi_order_t { SPI_MSB_FIRST = 1 };
        unsigned spi_init(spi_inst_t*, unsigned);
        void spi_set_format(spi_inst_t*, unsigned, spi_cpol_t, spi_cpha_t, spi_order_t);
        int spi_write_read_blocking(spi_inst_t*, const uint8_t*, uint8_t*, size_t);
    """,
    "hardware/uart.h": """
        #include <cstdint>
        struct uart_inst_t; struct uart_hw_t { volatile uint32_t dr; };
        extern uart_inst_t* uart0;
        unsigned uart_init(uart_inst_t*, unsigned); uart_hw_t* uart_get_hw(uart_inst_t*);
        bool uart_is_readable(uart_inst_t*); bool uart_is_writable(uart_inst_t*);
    """,
    "hardware/watchdog.h": """
        #include <cstdint>
        void watchdog_enable(uint32_t, bool); void watchdog_update();
    """,
}
"""What the Pico SDK 2.1 documents of the functions that are used."""
FRAMES = """
    #include "rp2040/converters.hpp"
    int main() {
        std::uint8_t frame[4];
        converters::Ad5676::write_frame(5, 0xABCD, frame);
        if (frame[0] != 0x35 || frame[1] != 0xAB || frame[2] != 0xCD) return 1;
        converters::Ads8688::select_frame(3, frame);
        if (frame[0] != 0xCC || frame[1] != 0) return 2;
        converters::Ads8688::range_frame(2, converters::Ads8688::unipolar_5v12, frame);
        if (frame[0] != 0x0F || frame[1] != 0x06) return 3;
        const std::uint8_t answer[4] = {0, 0, 0x12, 0x34};
        return converters::Ads8688::count(answer) == 0x1234 ? 0 : 4;
    }
"""
FITS = """
    #include "core/board.hpp"
    struct None final : board::Hardware {
        std::uint64_t now_us() override { return 0; }
        bool write(std::uint8_t, const std::uint16_t*) override { return true; }
        std::size_t measure(std::uint8_t, const std::uint16_t* const*, std::size_t, std::uint16_t*) override {
            return 1;
        }
        bool read(std::uint8_t, std::uint16_t*) override { return true; }
        bool park() override { return true; }
        bool health(std::int32_t*) override { return true; }
        std::size_t receive(std::uint8_t*, std::size_t) override { return 0; }
        std::size_t send(const std::uint8_t*, std::size_t) override { return 0; }
    };
    int main() {
        static board::Storage<512, 4096, 64, 1024> storage;
        None hardware;
        const board::Limit bad[] = {{100, 50'000, 0}, {100, 50'000, 50'001}, {100, 99, 100}};
        const board::Limit good = {100, 50'000, 100};
        int wrong = 0;
        for (int i = 0; i < 4; ++i) {
            const board::Limit* limit = i < 3 ? &bad[i] : &good;
            board::Layer layer;
            layer.parameters = layer.inputs = layer.outputs = 1;
            layer.limits = limit;
            board::Layout layout;
            layout.layers = &layer;
            layout.layer_count = 1;
            board::Board board(layout, storage.memory(), hardware);
            wrong += board.fits() != (i == 3);
        }
        return wrong;
    }
"""
"""How many of four layouts are judged wrongly: three of them park out of their own limits, or have none."""


def compiled(*arguments: str) -> None:
    found = compiler()
    if found is None:
        pytest.skip("no C++ compiler")
    command = [found, "-std=c++17", "-Wall", "-Wextra", "-Werror", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_the_thin_layer_fits_what_the_sdk_declares(tmp_path: Path) -> None:
    for name, text in DECLARED.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    compiled("-fsyntax-only", f"-I{tmp_path}", str(SOURCES / "rp2040" / "main.cpp"))


def test_the_frames_of_the_converters_are_those_of_their_data_sheets(tmp_path: Path) -> None:
    source = tmp_path / "frames.cpp"
    source.write_text(FRAMES)
    compiled(f"-I{SOURCES}", str(source), "-o", str(tmp_path / "frames"))
    assert subprocess.run([tmp_path / "frames"], check=False).returncode == 0


def test_a_board_that_would_park_out_of_its_own_limits_is_not_started(tmp_path: Path) -> None:
    source = tmp_path / "fits.cpp"
    source.write_text(FITS)
    core = [str(path) for path in sorted((SOURCES / "core").glob("*.cpp"))]
    compiled(f"-I{SOURCES}", str(source), *core, "-o", str(tmp_path / "fits"))
    assert subprocess.run([tmp_path / "fits"], check=False).returncode == 0


def test_the_core_knows_no_vendor_and_allocates_nothing() -> None:
    allowed = {"array", "cstddef", "cstdint", "cstring"}
    for file in sorted((SOURCES / "core").iterdir()):
        lines = file.read_text(encoding="utf-8").splitlines()
        code = [line.split("//")[0] for line in lines]
        included = {line.split("<")[1].rstrip("> ") for line in code if line.startswith("#include <")}
        assert included <= allowed, f"{file.name} includes {included - allowed}"
        assert not [line for line in code if re.search(r"\bnew\b|malloc|std::vector", line)], file.name

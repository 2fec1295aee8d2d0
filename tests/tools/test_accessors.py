# SPDX-License-Identifier: BSD-2-Clause
"""Register accessors with an offset that becomes constant at link time alone, and is too large for
an instruction: clang's link-time optimisation must not put it into one."""
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DECLARATION = "#include <busbar/arch.h>\nuint32_t both(uintptr_t base, size_t offset);\n"
HELPER = DECLARATION + """
uint32_t both(uintptr_t base, size_t offset)
{
    bb_arch_write32_at(base, offset, 1);
    return bb_arch_read32_at(base, offset);
}
"""
CALLER = DECLARATION + """
uint32_t _start(uintptr_t base);
uint32_t _start(uintptr_t base)
{
    return both(base, 0x10080) + both(base, 0x80) + both(base, 2);
}
"""


class Offsets(unittest.TestCase):
    def test_an_offset_from_another_file(self):
        clang = ["clang", "--target=aarch64-linux-gnu", "-flto", "-Oz"]
        with tempfile.TemporaryDirectory() as folder:
            objects = []
            for name, text in (("helper", HELPER), ("caller", CALLER)):
                source = Path(folder) / f"{name}.c"
                source.write_text(text)
                objects.append(str(source.with_suffix(".o")))
                subprocess.run([*clang, "-DBB_ARCH_AARCH64=1", f"-I{ROOT}/include", "-ffreestanding",
                                "-c", str(source), "-o", objects[-1]], check=True, timeout=60)
            linked = subprocess.run([*clang, "-fuse-ld=lld", "-nostdlib", "-static", *objects,
                                     "-o", f"{folder}/image"], capture_output=True, text=True,
                                    timeout=60)
        self.assertEqual(linked.returncode, 0, linked.stderr)


if __name__ == "__main__":
    unittest.main()

// Chooses the steps of the model test. A few names at three depths, so that steps meet: most paths exist, many are of the
// wrong kind, and the errors are compared too.

import Glibc
import TestSupport

/// A source of steps.
struct ModelGenerator {
    var random: SeededGenerator
    /// The paths that exist, kept by the test.
    var existing: [String] = []

    private static let names = ["a", "b.jpg", "ü", "dir", "x y", ".hidden"]
    private static let modes: [mode_t] = [0o644, 0o600, 0o755, 0o4755, 0o2775, 0o1777, 0o000, 0o444]
    private static let slots = 4
    private static let largest = 70_000

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    mutating func next() -> ModelStep {
        switch number(below: 100) {
        case 0..<12: .create(path(), content: content())
        case 12..<18: .append(known(), content: content())
        case 18..<22: .truncate(known(), size: number(below: Self.largest))
        case 22..<29: .rename(known(), to: path())
        case 29..<31: .exchange(known(), with: known())
        case 31..<36: .link(known(), to: path())
        case 36..<38: .makeSymlink(path(), target: path())
        case 38: .makePipe(path())
        case 39..<45: .unlink(known())
        case 45..<50: .makeDirectory(path())
        case 50..<53: .removeDirectory(known())
        case 53..<56: .changeMode(known(), Self.modes[number(below: Self.modes.count)])
        case 56..<58: .changeOwner(known(), uid_t(number(below: 5)), gid_t(number(below: 5)))
        case 58..<61: .setTimes(known(), accessed: time(), modified: time())
        case 61..<64:
            // ext4 has room for one block of them.
            .setAttribute(
                known(), name: attribute(), value: Array(content().bytes.prefix(number(below: 600))),
                flags: Int32(number(below: 3)))
        case 64..<65: .removeAttribute(known(), name: attribute())
        case 65..<70: .read(known())
        case 70..<76: .open(slot: slot(), number(below: 4) == 0 ? path() : known(), flags: flags())
        case 76..<80: .close(slot: slot())
        case 80..<86: .writeAt(slot: slot(), offset: number(below: Self.largest), content: content())
        case 86..<90: .readAt(slot: slot(), offset: number(below: Self.largest), size: number(below: Self.largest))
        case 90..<92: .setSize(slot: slot(), size: number(below: Self.largest))
        case 92..<94:
            // Allocating, the same behind the end, punching a hole, zeroing a range.
            .allocate(
                slot: slot(), mode: [0, 1, 3, 16][number(below: 4)], offset: number(below: Self.largest),
                length: 1 + number(below: Self.largest))
        case 94..<96: .writeMapped(slot: slot(), offset: number(below: Self.largest), content: content())
        case 96: .synchronize(slot: slot())
        default: .look(slot: slot())
        }
    }

    mutating func number(below limit: Int) -> Int { Int.random(in: 0..<limit, using: &random) }

    private mutating func slot() -> Int { number(below: Self.slots) }

    /// A path of one to three names, which may exist.
    private mutating func path() -> String {
        (0...number(below: 3)).map { _ in Self.names[number(below: Self.names.count)] }.joined(separator: "/")
    }

    /// A path that exists, most of the time.
    private mutating func known() -> String {
        guard !existing.isEmpty, number(below: 8) > 0 else { return path() }
        return existing[number(below: existing.count)]
    }

    private mutating func content() -> ModelStep.Content {
        let sizes = [0, 1, 4095, 4096, 4097, 10_000, Self.largest]
        return ModelStep.Content(seed: number(below: 1 << 30), size: sizes[number(below: sizes.count)])
    }

    private mutating func attribute() -> String {
        ["user.one", "user.ü", "trusted.two", "user.three"][number(below: 4)]
    }

    /// Before 1970 and after 2038 too.
    private mutating func time() -> timespec {
        timespec(tv_sec: number(below: 6_000_000_000) - 1_500_000_000, tv_nsec: number(below: 1_000_000_000))
    }

    private mutating func flags() -> Int32 {
        let choices = [
            O_RDONLY, O_RDWR, O_RDWR, O_RDWR | O_CREAT, O_RDWR | O_CREAT | O_EXCL, O_RDWR | O_TRUNC,
            O_WRONLY | O_APPEND,
        ]
        return choices[number(below: choices.count)]
    }
}

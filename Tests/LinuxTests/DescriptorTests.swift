// What the rooms above rely on: who owns a descriptor closes it, and a failed call is told with its errno.

import Glibc
import Linux
import Testing

@Suite struct DescriptorTests {
    @Test func closesWithItsLastReference() throws {
        var descriptor: Descriptor? = try Descriptor(taking: open("/dev/null", O_RDONLY | O_CLOEXEC), from: "open")
        let number = try #require(descriptor?.number)
        let copy = try Descriptor(duplicating: number)
        // Numbers are given again by other tests: the file behind this one tells whether it is still ours.
        descriptor = nil
        #expect(try copy.readStatus().st_mode & S_IFMT == S_IFCHR)
        #expect(copy.number >= 3)
        #expect(fcntl(copy.number, F_GETFD) & FD_CLOEXEC != 0)
    }

    @Test func tellsTheCallAndItsErrno() {
        #expect(throws: SystemError("open", ENOENT)) {
            try Descriptor(taking: open("/nowhere/at/all", O_RDONLY), from: "open")
        }
        #expect(throws: SystemError("dup", EBADF)) { try Descriptor(duplicating: -1) }
    }

    @Test func hasWordsForEveryErrno() {
        #expect(errnoText(ENOENT) == "No such file or directory")
        #expect("\(SystemError("open", EACCES))" == "open: Permission denied")
        #expect(!errnoText(99_999).isEmpty)
    }
}

import Testing

@testable import FileSystemCore

@Suite("Who answers for an open file")
struct HandleUsersTests {
    /// Threads 10 to 19 are of process 10, and so on; of those from 90 on nobody knows.
    private func process(_ thread: Int32) -> Int32? { thread < 90 ? thread / 10 * 10 : nil }

    @Test("The opener's process, whoever of it comes, and each process that wrote; nobody else")
    func users() {
        var users = HandleUsers()
        users.uses(12, process: process)
        users.uses(30, process: process)
        for thread: Int32 in [10, 12, 19, 31] { #expect(!users.isBystander(thread, process: process), "\(thread)") }
        for thread: Int32 in [20, 45] { #expect(users.isBystander(thread, process: process), "\(thread)") }
    }

    @Test(
        "Whose process is not known waits; a user whose process is not known may be anybody; so may who maps the file")
    func unknown() {
        var users = HandleUsers()
        users.uses(10, process: process)
        #expect(!users.isBystander(95, process: process) && users.isBystander(20, process: process))
        var mapped = users
        mapped.mayBeAnybody()
        #expect(!mapped.isBystander(20, process: process))
        users.uses(95, process: process)
        #expect(!users.isBystander(20, process: process))
    }
}

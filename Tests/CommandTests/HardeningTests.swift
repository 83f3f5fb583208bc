import CLinux
import Glibc
import Testing

@testable import Command

@Suite("A process that holds secrets")
struct HardeningTests {
    @Test("S1: no core file, no look into its memory, and nothing to give to the programs it starts")
    func noCore() async {
        await #expect(processExitsWith: .exitCode(7)) {
            // What exit tests have by themselves is no proof.
            guard backupfs_set_dumpable(1) == 0, backupfs_is_dumpable() == 1 else { exit(1) }
            try ProcessHardening.apply()
            var limit = rlimit()
            guard getrlimit(__rlimit_resource_t(4), &limit) == 0, limit.rlim_cur == 0, limit.rlim_max == 0 else {
                exit(2)
            }
            exit(backupfs_is_dumpable() == 0 ? 7 : 3)
        }
    }
}

import ArgumentParser
import FileSystemCore

/// What a close does while backup storage is down, as users write it.
enum WhenBackupIsDown: String, Codable, CaseIterable, ExpressibleByArgument {
    /// It fails at once, after another one has waited in vain.
    case fail
    /// It waits for `--close-timeout`, and so it does if nothing was said.
    case timeout
    /// It waits as long as the outage lasts.
    case wait

    /// What the file system is told.
    var behaviour: BackupFileSystem.WhenDown {
        switch self {
        case .fail: .fail
        case .timeout: .waitForTimeout
        case .wait: .wait
        }
    }
}

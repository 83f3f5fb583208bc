import ArgumentParser
import FileSystemCore

/// What a close does while backup storage is down, as users write it; left out, it waits for `--close-timeout`.
enum WhenBackupIsDown: String, Codable, CaseIterable, ExpressibleByArgument {
    /// It fails at once, after another one has waited in vain.
    case fail
    /// It waits as long as the outage lasts.
    case wait

    /// What the file system is told.
    var behaviour: BackupFileSystem.WhenDown {
        switch self {
        case .fail: .fail
        case .wait: .wait
        }
    }
}

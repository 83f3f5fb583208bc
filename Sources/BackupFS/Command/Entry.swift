import ArgumentParser
import Glibc

@main
enum Entry {
    static func main() {
        end(run(RawArguments.ofProcess()))
    }

    /// Ends the process at once.
    ///
    /// exit(3) would take OpenSSL's tables away while threads of the object store still use them.
    static func end(_ status: ExitStatus) -> Never {
        fflush(nil)
        _exit(status.rawValue)
    }

    /// Runs one command line; what it says to the user is said here.
    static func run(_ arguments: [String]) -> ExitStatus {
        do {
            var command = try BackupFSCommand.parseAsRoot(FstabForm.normalised(arguments))
            try command.run()
            return .done
        } catch let error as CommandError {
            StandardStreams.errorLine(error.description)
            return ExitStatus(for: error)
        } catch let failure as DaemonFailure {
            StandardStreams.errorLine(failure.line)
            return ExitStatus(rawValue: failure.status) ?? .failed
        } catch {
            guard BackupFSCommand.exitCode(for: error) != .success else {
                StandardStreams.outputLine(BackupFSCommand.fullMessage(for: error))
                return .done
            }
            let line = BackupFSCommand.message(for: error).split(separator: "\n").first ?? "wrong usage"
            StandardStreams.errorLine("\(terminalText(String(line))) (see \"backupfs --help\")")
            return .usage
        }
    }
}

import CFuse
import Catalogue
import Dispatch
import FileSystemCore
import Glibc
import Linux
import Synchronization

/// What the handlers of one session share.
final class FuseServer: Sendable {
    let fileSystem: BackupFileSystem
    /// Reads that do not come here.
    let passthrough: Passthrough
    /// Entered once for each request that is answered later.
    let replies = DispatchGroup()
    /// Set before the first request, and for ever.
    private let notificationsOfSession = Mutex<KernelNotifications?>(nil)

    init(_ fileSystem: BackupFileSystem, _ passthrough: Passthrough) {
        self.fileSystem = fileSystem
        self.passthrough = passthrough
    }

    /// What the kernel is told; nil before it is mounted.
    var notifications: KernelNotifications? {
        get { notificationsOfSession.withLock { $0 } }
        set { notificationsOfSession.withLock { $0 = newValue } }
    }

    /// Takes the set-id bits of a file that an ordinary user writes past the kernel's page cache.
    func clearSetID(_ id: ResourceID) throws(FileSystemError) {
        if try fileSystem.clearSetID(id) { notifications?.invalidate(id) }
    }

    /// The kernel has closed a file for the last time.
    func release(_ number: UInt64) {
        guard let pointer = UnsafeRawPointer(bitPattern: UInt(number)) else { return }
        fileSystem.close(Unmanaged<FileHandle>.fromOpaque(pointer).takeRetainedValue())
    }

    /// An answer that nobody waits for any more.
    func discard(_ reply: Reply) {
        switch reply {
        case .opened(let handle), .created(_, let handle): fileSystem.close(handle)
        default: break
        }
    }
}

/// Answers a request with what the handler says; its errors become errnos here.
func serve(
    _ raw: fuse_req_t?, _ handler: (FuseServer, Request) throws(FileSystemError) -> Answer
) {
    guard let raw, let data = fuse_req_userdata(raw) else { return }
    let server = Unmanaged<FuseServer>.fromOpaque(data).takeUnretainedValue()
    let request = Request(raw: raw)
    do throws(FileSystemError) {
        switch try handler(server, request) {
        case .now(let reply): request.send(reply, by: server)
        case .later(let work):
            let pending = PendingReply(request, server)
            Task(executorPreference: BlockingExecutor.shared) {
                do throws(FileSystemError) {
                    pending.send(try await work())
                } catch {
                    pending.send(.failure(errno: error.errorNumber))
                }
            }
        }
    } catch {
        request.send(.failure(errno: error.errorNumber), by: server)
    }
}

/// A name as the kernel gives it.
func bytes(_ name: UnsafePointer<CChar>?) -> [UInt8] {
    guard let name else { return [] }
    return UnsafeBufferPointer(start: name, count: strlen(name)).map { UInt8(bitPattern: $0) }
}

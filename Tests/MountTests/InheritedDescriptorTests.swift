// Who waits when a descriptor is closed: whoever opened the file or wrote to it, and nobody who only inherited it.

import Foundation
import Glibc
import Testing

/// Programs that start others, or hand descriptors on, while they write; each file is named after what happens to it.
private let script = #"""
    import array, multiprocessing, os, socket, subprocess, sys, threading

    def create(name):
        descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        os.set_inheritable(descriptor, True)
        os.write(descriptor, os.urandom(1000))
        return descriptor

    def finish(descriptor):
        os.write(descriptor, os.urandom(1000))
        os.close(descriptor)

    def child(body):
        process = os.fork()
        if process == 0:
            try:
                body()
            except OSError as problem:
                os._exit(problem.errno)
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])

    def nothing():
        pass

    def receive(end, body):
        descriptors = array.array("i")
        _, data, *_ = end.recvmsg(1, socket.CMSG_LEN(4))
        descriptors.frombytes(data[0][2])
        body(descriptors[0])
        os.close(descriptors[0])

    def send(descriptor, body):
        here, there = socket.socketpair()
        process = os.fork()
        if process == 0:
            os.close(descriptor)
            receive(there, body)
            os._exit(0)
        here.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))])
        return os.waitpid(process, 0)[1]

    def run_all():
        descriptor = create("fork")
        for _ in range(3):
            assert child(lambda: os.close(descriptor)) == 0
        finish(descriptor)

        descriptor = create("exec")
        for _ in range(3):
            subprocess.run(["true"], close_fds=False, check=True)
        finish(descriptor)

        descriptor = create("spawn")
        os.set_inheritable(descriptor, False)
        for _ in range(3):
            process = os.posix_spawn("/bin/true", ["true"], {})
            assert os.waitpid(process, 0)[1] == 0
        finish(descriptor)

        descriptor = create("multiprocessing")
        for way in ("fork", "spawn"):
            process = multiprocessing.get_context(way).Process(target=nothing)
            process.start()
            process.join()
        finish(descriptor)

        opened = []
        thread = threading.Thread(target=lambda: opened.append(create("thread")))
        thread.start()
        thread.join()
        subprocess.run(["true"], close_fds=False, check=True)
        finish(opened[0])

        descriptor = create("sent")
        send(descriptor, lambda received: None)
        finish(descriptor)

        descriptor = create("child-writes")
        assert child(lambda: finish(descriptor)) == 0
        finish(descriptor)

        descriptor = create("receiver-writes")
        send(descriptor, lambda received: os.write(received, b"more"))
        finish(descriptor)

        descriptor = create("child-truncates")
        assert child(lambda: os.ftruncate(descriptor, 10)) == 0
        finish(descriptor)

    if __name__ == "__main__":
        os.chdir(sys.argv[1])
        run_all()
    """#

@Suite("Descriptors that are inherited")
struct InheritedDescriptorTests {
    /// The script as a file: multiprocessing reads it once more.
    private func write(_ text: String, in sandbox: Sandbox) throws -> String {
        let path = sandbox.scratch("programs.py")
        try writeFile(path, Array(text.utf8))
        return path
    }

    @Test(
        "Starting a program while a file is written makes no version of it, and a close by who has written does",
        arguments: BackupKind.available)
    func versions(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try sandbox.run(["python3", write(script, in: sandbox), sandbox.mountPoint])
            for name in ["fork", "exec", "spawn", "multiprocessing", "thread", "sent"] {
                #expect(try sandbox.info(name).version == 1, "\(name)")
                #expect(try sandbox.backedUp(name) == readFile(sandbox.mainPath(name)), "\(name)")
            }
            for name in ["child-writes", "receiver-writes", "child-truncates"] {
                #expect(try sandbox.info(name).version == 2, "\(name)")
                #expect(try sandbox.backedUp(name) == readFile(sandbox.mainPath(name)), "\(name)")
            }
        }
    }

    @Test(
        "What a shell starts inside a redirection does not send what is written so far",
        arguments: [BackupKind.directory])
    func shells(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            // The shell closes the descriptor under which it opened the file, and the one that it wrote through.
            try sandbox.shell("{ echo one; /bin/true; /bin/true; echo two; } > group; echo one > one; echo two >> one")
            try sandbox.shell("(echo one; /bin/true; echo two) | cat > pipeline")
            #expect(try readFile(sandbox.path("group")) == Array("one\ntwo\n".utf8))
            #expect(try readFile(sandbox.path("one")) == Array("one\ntwo\n".utf8))
            #expect(try readFile(sandbox.path("pipeline")) == Array("one\ntwo\n".utf8))
            #expect(try sandbox.info("group").version == 2)
            for name in ["group", "one", "pipeline"] {
                #expect(try sandbox.backedUp(name) == readFile(sandbox.mainPath(name)), "\(name)")
            }
        }
    }

    @Test("Without backup who only inherited a descriptor closes it; who opened the file, or wrote, is told EIO")
    func outage() async throws {
        try await Sandbox.run(.directory, options: shortClose) { sandbox in
            try sandbox.backup.takeAway()
            let answers = """
                    descriptor = create("a")
                    answers = [child(lambda: os.close(descriptor)), child(lambda: finish(descriptor))]
                    try:
                        os.close(descriptor)
                    except OSError as problem:
                        answers.append(problem.errno)
                    print(answers)
                """
            let program = script.components(separatedBy: "    run_all()").joined(separator: answers)
            let said = try sandbox.run(["python3", write(program, in: sandbox), sandbox.mountPoint]).output
            #expect(said == "[0, 5, 5]\n")
            try sandbox.backup.bringBack()
        }
    }
}

import Glibc

@main
enum Entry {
    static func main() {
        exit(ExitStatus.usage.rawValue)
    }
}

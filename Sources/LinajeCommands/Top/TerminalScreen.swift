import Glibc

/// The whole terminal, taken over and given back: the alternate screen, without a cursor, without
/// echo and without waiting for the end of a line.
struct TerminalScreen {
    private let saved: termios

    /// `nil` when standard input or output is no terminal.
    init?() {
        var saved = termios()
        guard isatty(STDOUT_FILENO) == 1, tcgetattr(STDIN_FILENO, &saved) == 0 else { return nil }
        self.saved = saved
    }

    func enter() {
        var raw = saved
        raw.c_lflag &= ~tcflag_t(ICANON | ECHO)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &raw)
        Output.bytes(Array("\u{1B}[?1049h\u{1B}[?25l".utf8))
    }

    func leave() {
        Output.bytes(Array("\u{1B}[?25h\u{1B}[?1049l".utf8))
        var saved = saved
        tcsetattr(STDIN_FILENO, TCSADRAIN, &saved)
    }

    /// Columns and rows; 80 and 24 where the terminal does not say.
    var size: (width: Int, height: Int) {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0
        else { return (80, 24) }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// Draws over what is there, in one write, so that nothing flickers.
    func draw(_ lines: [String]) {
        Output.bytes(Array(Self.frame(lines).utf8))
    }

    /// From the top left corner, each line up to its end, then nothing below the last. The last
    /// line ends without a line feed, which would scroll a full screen.
    static func frame(_ lines: [String]) -> String {
        "\u{1B}[H" + lines.map { $0 + "\u{1B}[K" }.joined(separator: "\r\n") + "\u{1B}[J"
    }
}

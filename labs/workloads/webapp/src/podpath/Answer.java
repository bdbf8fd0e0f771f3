package podpath;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.StringJoiner;

/** An answer that says, in headers and as JSON, who answered, whom it saw and what was asked. */
final class Answer {
    static final String NONCE = "X-Podpath-Nonce";

    private static final String CONTAINER = "webapp";

    private static final Identity SELF = Identity.read(Path.of("/var/run/podpath/token"));

    private final String peer;
    private final String nonce;
    private final Map<String, String> fields = new LinkedHashMap<>();

    Answer(HttpServletRequest request) {
        peer = peer(request);
        nonce = request.getHeader(NONCE);
        with("pod", SELF.pod());
        with("node", SELF.node());
        with("container", CONTAINER);
        with("peer", peer);
        with("nonce", nonce);
        with("path", request.getRequestURI());
        with("host", request.getHeader("Host"));
        with("forwardedFor", request.getHeader("X-Forwarded-For"));
    }

    /** Adds a text, or null. */
    Answer with(String key, String text) {
        return withJson(key, text == null ? "null" : quoted(text));
    }

    /** Adds what is JSON already. */
    Answer withJson(String key, String json) {
        fields.put(key, json);
        return this;
    }

    void send(HttpServletResponse response) throws IOException {
        response.setHeader("X-Podpath-Pod", SELF.pod());
        if (!SELF.node().isEmpty()) {
            response.setHeader("X-Podpath-Node", SELF.node());
        }
        response.setHeader("X-Podpath-Container", CONTAINER);
        response.setHeader("X-Podpath-Peer", peer);
        if (nonce != null) {
            response.setHeader(NONCE, nonce);
        }
        StringJoiner json = new StringJoiner(",", "{", "}\n");
        fields.forEach((key, value) -> json.add(quoted(key) + ":" + value));
        byte[] body = json.toString().getBytes(StandardCharsets.UTF_8);
        response.setContentType("application/json");
        response.setContentLength(body.length);
        response.getOutputStream().write(body);
    }

    /** The TCP peer as {@code address:port}; an IPv6 address in brackets. */
    private static String peer(HttpServletRequest request) {
        String address = request.getRemoteAddr();
        return (address.contains(":") ? "[" + address + "]" : address) + ":" + request.getRemotePort();
    }

    private static String quoted(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < ' ' || Character.isSurrogate(c)) {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        return out.append('"').toString();
    }
}

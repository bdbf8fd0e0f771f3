package podpath;

import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.StringJoiner;

/** Answers every path and method with 200 and who answered, whom it saw and what was asked. */
public final class WhoamiServlet extends HttpServlet {
    private static final String CONTAINER = "webapp";

    private static final long serialVersionUID = 1;

    private transient Identity self;

    @Override
    public void init() {
        self = Identity.read(Path.of("/var/run/podpath/token"));
    }

    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response) throws IOException {
        String peer = peer(request);
        String nonce = request.getHeader("X-Podpath-Nonce");
        response.setHeader("X-Podpath-Pod", self.pod());
        if (!self.node().isEmpty()) {
            response.setHeader("X-Podpath-Node", self.node());
        }
        response.setHeader("X-Podpath-Container", CONTAINER);
        response.setHeader("X-Podpath-Peer", peer);
        if (nonce != null) {
            response.setHeader("X-Podpath-Nonce", nonce);
        }

        Map<String, String> answer = new LinkedHashMap<>();
        answer.put("pod", self.pod());
        answer.put("node", self.node());
        answer.put("container", CONTAINER);
        answer.put("peer", peer);
        answer.put("nonce", nonce);
        answer.put("path", request.getRequestURI());
        answer.put("host", request.getHeader("Host"));
        answer.put("forwardedFor", request.getHeader("X-Forwarded-For"));
        byte[] body = json(answer).getBytes(StandardCharsets.UTF_8);
        response.setContentType("application/json");
        response.setContentLength(body.length);
        response.getOutputStream().write(body);
    }

    /** The TCP peer as {@code address:port}; an IPv6 address in brackets. */
    private static String peer(HttpServletRequest request) {
        String address = request.getRemoteAddr();
        return (address.contains(":") ? "[" + address + "]" : address) + ":" + request.getRemotePort();
    }

    private static String json(Map<String, String> fields) {
        StringJoiner out = new StringJoiner(",", "{", "}\n");
        fields.forEach((key, value) -> out.add(quoted(key) + ":" + (value == null ? "null" : quoted(value))));
        return out.toString();
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

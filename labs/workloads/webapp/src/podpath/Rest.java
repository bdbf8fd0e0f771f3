package podpath;

import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URL;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;

/** The client of the REST service: each request is a connection of its own, so it can be traced. */
final class Rest {
    // In ms, together five seconds: time for a second SYN, and for REST to say that its database is silent (3 s).
    private static final int CONNECT_TIMEOUT = 1500;
    private static final int READ_TIMEOUT = 3500;

    private static final int LONGEST = 1 << 20;

    private Rest() {}

    /** The JSON that {@code url} answers; anything but 200 and JSON is an exception that says what came instead. */
    static String get(String url, String nonce) throws IOException {
        HttpURLConnection connection = (HttpURLConnection) new URL(url).openConnection();
        connection.setConnectTimeout(CONNECT_TIMEOUT);
        connection.setReadTimeout(READ_TIMEOUT);
        connection.setInstanceFollowRedirects(false);
        connection.setRequestProperty("Connection", "close");
        if (nonce != null) {
            connection.setRequestProperty(Answer.NONCE, nonce);
        }
        int status = status(connection);
        String body = body(status < 400 ? connection.getInputStream() : connection.getErrorStream());
        if (status != HttpURLConnection.HTTP_OK || !"application/json".equals(connection.getContentType())) {
            throw new IOException("answered " + status + ": " + body);
        }
        return body;
    }

    private static int status(HttpURLConnection connection) throws IOException {
        try {
            return connection.getResponseCode();
        } catch (UnknownHostException unknown) {
            throw new IOException("name unknown", unknown);
        }
    }

    /** An error without a body has no stream. */
    private static String body(InputStream stream) throws IOException {
        if (stream == null) {
            return "";
        }
        try (stream) {
            return new String(stream.readNBytes(LONGEST), StandardCharsets.UTF_8).strip();
        }
    }
}

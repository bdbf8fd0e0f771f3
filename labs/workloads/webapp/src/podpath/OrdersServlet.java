package podpath;

import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;

/**
 * Answers with what the REST service says besides; 502 when that does not answer.
 *
 * <p>Without {@code REST_URL} there is no REST service to ask, and this path is like any other.
 */
public final class OrdersServlet extends HttpServlet {
    private static final long serialVersionUID = 1;

    private static final String REST_URL = System.getenv("REST_URL");

    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response) throws IOException {
        Answer answer = new Answer(request);
        if (REST_URL != null && !REST_URL.isEmpty()) {
            try {
                answer.withJson("rest", Rest.get(REST_URL, request.getHeader(Answer.NONCE)));
            } catch (IOException failure) {
                response.setStatus(HttpServletResponse.SC_BAD_GATEWAY);
                answer.with("error", REST_URL + ": " + failure.getMessage());
            }
        }
        answer.send(response);
    }
}

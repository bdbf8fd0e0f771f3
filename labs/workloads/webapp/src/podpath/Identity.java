package podpath;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Who this container is: the Pod and node named by the payload of its service account token.
 *
 * <p>The claims {@code kubernetes.io.pod.name} and {@code kubernetes.io.node.name} are those of KEP-4193.
 * Without a token the Pod is the host's name and the node is empty.
 */
record Identity(String pod, String node) {
    static Identity read(Path token) {
        String claims = "";
        try {
            String[] parts = Files.readString(token).strip().split("\\.");
            claims = new String(Base64.getUrlDecoder().decode(parts[1]), StandardCharsets.UTF_8);
        } catch (IOException | IllegalArgumentException | ArrayIndexOutOfBoundsException noToken) {
            // Not in a Pod with an identity volume: the fallback below.
        }
        String pod = name("pod", claims);
        return new Identity(pod.isEmpty() ? hostname() : pod, name("node", claims));
    }

    private static String name(String holder, String claims) {
        Matcher found = Pattern.compile("\"" + holder + "\":\\{[^}]*\"name\":\"([a-z0-9.-]*)\"").matcher(claims);
        return found.find() ? found.group(1) : "";
    }

    private static String hostname() {
        try {
            return Files.readString(Path.of("/proc/sys/kernel/hostname")).strip();
        } catch (IOException unreadable) {
            return "";
        }
    }
}

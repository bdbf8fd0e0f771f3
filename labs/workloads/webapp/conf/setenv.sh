# Read by catalina.sh. The class data archive fits these jars, in this order, and no others.
for jar in "$CATALINA_HOME"/lib/*.jar; do
    CLASSPATH="${CLASSPATH:+$CLASSPATH:}$jar"
done
# A small heap and compiled-once code: the Pod asks for 50 Mi and a twentieth of a core.
CATALINA_OPTS="-XX:SharedArchiveFile=$CATALINA_BASE/classes.jsa -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
-Xms16m -Xmx64m -Xss512k -XX:ReservedCodeCacheSize=24m -XX:-UsePerfData -Djava.awt.headless=true \
-Djava.security.properties=$CATALINA_BASE/conf/security.properties $CATALINA_OPTS"

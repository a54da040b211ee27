package lab;

import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.RSAKey;
import com.nimbusds.jose.jwk.source.ImmutableJWKSet;
import com.nimbusds.jose.jwk.source.JWKSource;
import com.nimbusds.jose.proc.SecurityContext;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.interfaces.RSAPublicKey;
import java.util.Set;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.core.annotation.Order;
import org.springframework.http.MediaType;
import org.springframework.security.authentication.AuthenticationProvider;
import org.springframework.security.config.Customizer;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.userdetails.User;
import org.springframework.security.core.userdetails.UserDetailsService;
import org.springframework.security.oauth2.core.AuthorizationGrantType;
import org.springframework.security.oauth2.core.ClientAuthenticationMethod;
import org.springframework.security.oauth2.jwt.JwtDecoder;
import org.springframework.security.oauth2.server.authorization.InMemoryOAuth2AuthorizationService;
import org.springframework.security.oauth2.server.authorization.OAuth2Authorization;
import org.springframework.security.oauth2.server.authorization.OAuth2AuthorizationService;
import org.springframework.security.oauth2.server.authorization.OAuth2ClientRegistration;
import org.springframework.security.oauth2.server.authorization.OAuth2TokenType;
import org.springframework.security.oauth2.server.authorization.authentication.OAuth2ClientRegistrationAuthenticationProvider;
import org.springframework.security.oauth2.server.authorization.client.InMemoryRegisteredClientRepository;
import org.springframework.security.oauth2.server.authorization.client.RegisteredClient;
import org.springframework.security.oauth2.server.authorization.client.RegisteredClientRepository;
import org.springframework.security.oauth2.server.authorization.converter.OAuth2ClientRegistrationRegisteredClientConverter;
import org.springframework.security.oauth2.server.authorization.settings.AuthorizationServerSettings;
import org.springframework.security.provisioning.InMemoryUserDetailsManager;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.security.web.authentication.LoginUrlAuthenticationEntryPoint;
import org.springframework.security.web.util.matcher.MediaTypeRequestMatcher;

/**
 * Spring Security's authorization server with client registration (RFC 7591), its own login and consent pages, and
 * everything in memory. Registration as such is left as it comes; who may register is the property lab.registration.
 */
@SpringBootApplication
public class AuthorizationServer {

    /** From 7.0.5 on, a registration that asks for scopes is refused: what a client may ask for, the deployment says. */
    static final Set<String> SCOPES = Set.of("message.read");

    public static void main(String[] arguments) {
        SpringApplication.run(AuthorizationServer.class, arguments);
    }

    @Bean
    @Order(1)
    SecurityFilterChain protocol(HttpSecurity http, @Value("${lab.registration}") String registration) throws Exception {
        return http
            .oauth2AuthorizationServer(server -> {
                http.securityMatcher(server.getEndpointsMatcher());
                server.clientRegistrationEndpoint(endpoint -> endpoint
                    .openRegistrationAllowed(registration.equals("open"))
                    .authenticationProviders(providers -> providers.forEach(AuthorizationServer::grantScopes)));
            })
            .authorizeHttpRequests(requests -> {
                if (registration.equals("open")) {
                    requests.requestMatchers("/oauth2/register").permitAll();
                }
                requests.anyRequest().authenticated();
            })
            .exceptionHandling(exceptions -> exceptions.defaultAuthenticationEntryPointFor(
                new LoginUrlAuthenticationEntryPoint("/login"), new MediaTypeRequestMatcher(MediaType.TEXT_HTML)))
            .build();
    }

    @Bean
    @Order(2)
    SecurityFilterChain pages(HttpSecurity http) throws Exception {
        return http
            .authorizeHttpRequests(requests -> requests.anyRequest().authenticated())
            .formLogin(Customizer.withDefaults())
            .build();
    }

    private static void grantScopes(AuthenticationProvider provider) {
        if (provider instanceof OAuth2ClientRegistrationAuthenticationProvider registration) {
            var converter = new OAuth2ClientRegistrationRegisteredClientConverter();
            registration.setRegisteredClientConverter((OAuth2ClientRegistration asked) -> {
                RegisteredClient client = converter.convert(asked);
                return client.getScopes().isEmpty()
                    ? RegisteredClient.from(client).scopes(scopes -> scopes.addAll(SCOPES)).build()
                    : client;
            });
        }
    }

    /** The client that obtains initial access tokens, by the client credentials grant. */
    @Bean
    RegisteredClientRepository clients(@Value("${lab.registrar}") String id, @Value("${lab.registrar-secret}") String secret) {
        return new InMemoryRegisteredClientRepository(RegisteredClient.withId(id)
            .clientId(id)
            .clientSecret("{noop}" + secret)
            .clientAuthenticationMethod(ClientAuthenticationMethod.CLIENT_SECRET_BASIC)
            .authorizationGrantType(AuthorizationGrantType.CLIENT_CREDENTIALS)
            .scope("client.create")
            .build());
    }

    /** Stores tokens as slowly as a busy data base, so that a race, if there is one, is lost in every run. */
    @Bean
    OAuth2AuthorizationService authorizations() {
        OAuth2AuthorizationService memory = new InMemoryOAuth2AuthorizationService();
        return new OAuth2AuthorizationService() {
            @Override
            public void save(OAuth2Authorization authorization) {
                boolean redeems = authorization.getAccessToken() != null
                    && AuthorizationGrantType.AUTHORIZATION_CODE.equals(authorization.getAuthorizationGrantType());
                try {
                    Thread.sleep(redeems ? 150 : 0);
                } catch (InterruptedException stopped) {
                    Thread.currentThread().interrupt();
                }
                memory.save(authorization);
            }

            @Override
            public void remove(OAuth2Authorization authorization) {
                memory.remove(authorization);
            }

            @Override
            public OAuth2Authorization findById(String id) {
                return memory.findById(id);
            }

            @Override
            public OAuth2Authorization findByToken(String token, OAuth2TokenType kind) {
                return memory.findByToken(token, kind);
            }
        };
    }

    @Bean
    UserDetailsService users() {
        return new InMemoryUserDetailsManager(
            User.withUsername("alice").password("{noop}wonderland").roles("USER").build(),
            User.withUsername("hatter").password("{noop}wonderland").roles("USER").build());
    }

    @Bean
    JWKSource<SecurityContext> keys() throws Exception {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA");
        generator.initialize(2048);
        KeyPair pair = generator.generateKeyPair();
        return new ImmutableJWKSet<>(new JWKSet(
            new RSAKey.Builder((RSAPublicKey) pair.getPublic()).privateKey(pair.getPrivate()).keyID("lab").build()));
    }

    @Bean
    JwtDecoder jwtDecoder(JWKSource<SecurityContext> keys) {
        return org.springframework.security.config.annotation.web.configuration.OAuth2AuthorizationServerConfiguration
            .jwtDecoder(keys);
    }

    @Bean
    AuthorizationServerSettings settings(@Value("${lab.issuer}") String issuer) {
        return AuthorizationServerSettings.builder().issuer(issuer).build();
    }
}
